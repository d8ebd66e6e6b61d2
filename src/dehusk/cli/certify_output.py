"""What `dehusk certify` prints and writes."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from dehusk.cli.output import out_folder
from dehusk.core.certificates import Certificate, Shift
from dehusk.core.errors import InputError
from dehusk.core.findings import Estimate
from dehusk.core.messages import label, say, visible
from dehusk.core.options import CertifyConfig
from dehusk.io import write_atomic
from dehusk.report import to_html

_ROWS = 12  # features beside the targets and those that grew
COLUMNS = ("feature", "state", "selection", "before", "after", "growth", "detectable")


def deliver_certificate(certificate: Certificate, config: CertifyConfig) -> None:
    """Write the files of a certificate, then print it in the format asked for."""
    page = None if config.out is None else _write(certificate, config)
    if config.format == "json":
        sys.stdout.write(certificate.to_json() + "\n")
    else:
        _show(certificate, config.lang)
    sys.stdout.flush()
    if page is not None:
        words = say("certify.written", page=page).render(config.lang)
        Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(words)


def _write(certificate: Certificate, config: CertifyConfig) -> str:
    folder = out_folder(str(config.out))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot be made: {error}", where=str(folder), fix="--out certificate") from None
    write_atomic(folder / "certificate.json", certificate.to_json())
    write_atomic(folder / "certificate.html", to_html(certificate, config.lang))
    return str(folder / "certificate.html")


def _show(certificate: Certificate, lang: str) -> None:
    console = Console(highlight=False, markup=False)

    def tell(text: str) -> None:
        console.print(visible(text), soft_wrap=True)  # Chinese must not be broken at its spaces

    tell(say(f"certify.verdict.{certificate.verdict}").render(lang).upper())
    tell(certificate.sentence.render(lang))
    if not certificate.shifts:
        return
    models = certificate.models
    told = {"before": models["before"], "after": models["after"]}
    tell(say("certify.compared", **told, prompts=certificate.prompts, answers=certificate.answers).render(lang))
    for sentence in certificate.evidence:
        tell(f"- {sentence.render(lang)}")
    console.print(_table(certificate, lang))


def _table(certificate: Certificate, lang: str) -> Table:
    table = Table()
    for key in COLUMNS:
        numeric = key in ("before", "after", "growth", "detectable")
        table.add_column(say(f"certify.page.{key}").render(lang), justify="right" if numeric else "left")
    telling = [one for one in certificate.shifts if one.role == "target" or one.state == "grew"]
    others = [one for one in certificate.shifts if one not in telling]
    for shift in telling + others[:_ROWS]:
        table.add_row(*_cells(shift, lang))
    return table


def _cells(shift: Shift, lang: str) -> list[str]:
    lift = shift.lift
    way = f"n = {lift.size:g}" if lift.selection == "best_of_n" else f"{lift.size:.2g} nats"
    numbers = [f"{lift.before.value:+.2f}", f"{lift.after.value:+.2f}", _number(lift.growth)]
    state = say(f"certify.state.{shift.state}").render(lang)
    return [visible(label(shift.feature, lang)), state, way, *numbers, f"{shift.detectable:.2f}"]


def _number(estimate: Estimate) -> str:
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"
