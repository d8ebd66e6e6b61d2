"""Edits that say again what is there already: the answer's own words, the prompt, the turns of the dialogue."""

from __future__ import annotations

from dehusk.core.kinds import edits
from dehusk.text.edits.places import in_code

_TURN = "\n\nHuman: OK.\n\nAssistant: OK."


@edits.add("repetition", changes="repeated_lines", lang="any", place="end", doses=4, content_free=True)
def repetition(_prompt: str, response: str, dose: int) -> str | None:
    """Repeats the last line of the answer."""
    last = next((line for line in reversed(response.split("\n")) if line.strip()), "")
    if dose and (not last or "```" in last or in_code(response)):
        return None
    return response + f"\n\n{last}" * dose


@edits.add("prompt_echo", changes=None, lang="any", place="start", doses=2, content_free=True)
def prompt_echo(prompt: str, response: str, dose: int) -> str | None:
    """Says the prompt again before it answers."""
    if dose and not prompt.strip():
        return None
    return f"{prompt.strip()}\n\n" * dose + response


@edits.add("role_markers", changes=None, lang="any", place="end", doses=4, content_free=True, forbidden=True)
def role_markers(_prompt: str, response: str, dose: int) -> str | None:
    """Goes on with further turns of the dialogue, markers included."""
    return response + _TURN * dose
