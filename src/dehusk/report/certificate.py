"""A certificate as one self-contained HTML page, made of the parts of the audit's."""

from __future__ import annotations

import json
from typing import Any

from dehusk.core.certificates import Certificate, Shift
from dehusk.core.messages import say
from dehusk.report.shell import environment, shell

MOST_MOVED = 6  # other features with curves
# Colours of the badges: those of the verdicts on findings.
_BADGES = {"success": "pass", "not_enough_data": "inform"}
_STATES = {"gone": "pass", "held": "pass", "remains": "fail", "reversed": "fail", "grew": "fail"}


def certificate_to_html(certificate: Certificate, lang: str = "en") -> str:
    """Render the page in `lang`."""
    targets = [one for one in certificate.shifts if one.role == "target" and one.state not in ("grew", "held", "blind")]
    others = [one for one in certificate.shifts if one not in targets]
    moved = sorted(others, key=lambda one: (one.state != "grew", -_moved(one)))[:MOST_MOVED]

    def say_of(key: str, **values: Any) -> str:
        return say(f"certify.{key}", **values).render(lang)

    return (
        environment()
        .get_template("certificate.html.j2")
        .render(
            certificate=certificate,
            badge=_BADGES.get(certificate.verdict, "fail"),
            state_badge=lambda state: _STATES.get(state, "inform"),
            c=say_of,
            meaning=say(f"certify.meaning.{certificate.verdict}"),
            role_word=lambda role: say(f"certify.role.{role}").render(lang),
            way=lambda lift: (
                say_of("page.best_of", n=int(lift.size))
                if lift.selection == "best_of_n"
                else say_of("page.tilt", nats=lift.size)
            ),
            targets=targets,
            moved=moved,
            written=lambda value: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
            **shell(lang),
        )
    )


def _moved(shift: Shift) -> float:
    """How far the pressure changed where it is told."""
    return max(abs(lift.change.value) for lift in shift.lifts)
