"""Edits: from an answer to the same answer with one surface feature more, in doses.

An edit is a function (prompt, response, dose) -> the edited response under `@edits.add`; None where it does not apply,
and dose 0 is the response itself. Its options:

    changes        name of the declared feature it moves, or None where nothing declared measures it
    lang           "en", "zh" or "any": prompts it is meant for
    place          "start", "middle", "end" or "throughout"
    doses          the largest dose it knows
    sign           −1 for an edit that takes its feature away (1 when absent): effects are turned to say what it earns
    content_free   whether it adds nothing that an answer could deserve to be paid for
    control        whether it changes nothing that should be paid for at all
    forbidden      whether any reward for it is a fault
"""

from dehusk.text.edits import echoes, layout, phrases, surface
from dehusk.text.edits.phrases import FILLER, Edit, edits_of_phrase, phrase_edit

__all__ = ["FILLER", "Edit", "echoes", "edits_of_phrase", "layout", "phrase_edit", "phrases", "surface"]
