"""Options of `dehusk fit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dehusk.core.config import Config, Lang
from dehusk.core.errors import InputError
from dehusk.core.options.training import Training


@dataclass(frozen=True, kw_only=True)
class FitConfig(Training, Config):
    """Fit a reward model to preference pairs with the objective of your choice, and watch what it learns to pay for."""

    pairs: str | None = None
    """Preference pairs, as for `dehusk audit`."""
    objective: str = "bt"
    """What is minimised (`dehusk list objectives`)."""
    option: tuple[str, ...] = ()
    """Options of the objective as NAME=VALUE, such as strength=3. Repeatable."""
    margins: bool = False
    """Ask of each pair the margin that its file gives it: by how much log odds the chosen answer should win."""
    out: str | None = None
    """Folder for the reward model, its card and what was read while it was fitted."""
    layers: tuple[int, ...] = (-1,)
    """Whose hidden states heads see, side by side: 0 the token embeddings, -1 the last."""
    pooling: Literal["mean", "last"] = "mean"
    """Mean over the answer's tokens, or the last token, which alone can become a standard classifier."""
    l2: float | None = None
    """Penalty on a head's weights; by default the best of several on held-out prompts."""
    members: int = 1
    """Heads; several become an ensemble."""
    vary: Literal["bootstrap", "halves", "seeds"] = "bootstrap"
    """In what several heads differ: prompts drawn with repeats, opposite halves of the prompts, or chance alone."""
    steps: int = 200
    """Steps of a round, for a head that cannot be fitted exactly; two to ten are taken, until one changes little."""
    stop_on: Literal["never", "saturation"] = "never"
    """Whether a fit with nothing left to learn early on is stopped, or only told of."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,chosen=win,rejected=lose."""
    layout: str | None = None
    """Read the pairs in this layout instead of detecting it."""
    format: Literal["text", "json"] = "text"
    """What is printed on standard output."""
    lang: Lang = "en"
    """Language of the card and the messages."""

    def __post_init__(self) -> None:
        """Check what types cannot say.

        Raises:
            InputError: a number outside its range.
        """
        super().__post_init__()
        self.check_scoring()
        self.check_training()
        for name in ("l2", "members", "steps"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} = {value:g}", where=f"--{name}", expected="more than 0")
        if not self.layers:
            raise InputError("no layer", where="--layers", expected="0 for the token embeddings, -1 for the last")

    def check_places(self) -> None:
        """Check that something is read and something written, and that what is asked for goes together.

        Raises:
            InputError: it does not.
        """
        if self.pairs is None:
            raise InputError("nothing to fit on", fix="--pairs FILE")
        if self.out is None:
            raise InputError("nowhere to write", fix="--out FOLDER")
        if self.train != "heads":
            for name, usual in (("layers", (-1,)), ("pooling", "mean"), ("l2", None), ("members", 1)):
                if getattr(self, name) != usual:
                    raise InputError("it is for heads only", where=f"--{name}", fix="--train heads, or leave it out")
