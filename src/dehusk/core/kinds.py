"""What kinds of things there are, and the tables that hold them by name.

A table is the one way to add a thing: decorate a function, give it a docstring, done.
Plug-ins outside this package use an entry-point group named after the table (`dehusk.features`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from types import MappingProxyType
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import polars as pl

from dehusk.core.errors import UnknownName

T = TypeVar("T")
Measure = Callable[[pl.Expr, pl.Expr], pl.Expr]
Family = Literal["length", "layout", "tone", "formula", "rhetoric", "repetition", "language", "phrase", "template"]


@dataclass(frozen=True)
class Feature:
    """A surface property of a response, as a Polars expression.

    A mined feature has this very type: no probe can tell it from a declared one except through
    `discovered`, which names the groups it must not be tested on (see `Measures.values`).
    """

    name: str
    unit: str  # "presence" (0/1 a response), a count such as "lines", or a ratio such as "share"
    family: str
    about: str  # one sentence for the report
    measure: Measure = field(compare=False, repr=False)  # (prompt, response) -> numeric or Boolean
    lang: str = "any"  # "en", "zh" or "any": texts in which it means something
    highlight: str | None = None  # regular expression, in Polars's syntax, of what counts; a group is the span
    discovered: str | None = None  # None if declared; else the name of the table it was mined from
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    @property
    def mined(self) -> bool:
        """Whether the feature was found in the data at hand rather than declared beforehand."""
        return self.discovered is not None


@runtime_checkable
class RewardModel(Protocol):
    """Anything that puts a number on an answer to a prompt; more is better."""

    name: str

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Score n answers, shape (n,).

        Raises:
            BackendError: the model did not answer.
        """
        ...


def scores_new_texts(model: RewardModel) -> bool:
    """Whether a model can score any text, or only looks up scores that someone already has (`closed`)."""
    return not getattr(model, "closed", False)


@runtime_checkable
class TextScorer(RewardModel, Protocol):
    """A reward model whose input text can be seen and changed: what the plumbing of a checkpoint is tested on."""

    max_length: int | None  # tokens kept of a text
    special_ids: Mapping[str, int | None]  # "bos", "eos", "pad" -> token id
    special_texts: Mapping[str, str | None]  # the same as they are written in a rendered text
    notes: tuple[str, ...]  # what loading it said, e.g. names of weights that were missing

    def render(self, prompts: Sequence[str], responses: Sequence[str]) -> list[str]:
        """The texts that are scored: the chat template applied once."""
        ...

    def token_ids(self, text: str) -> list[int]:
        """Tokens of a rendered text exactly as the model gets them, special ones included."""
        ...

    def score_texts(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Score n rendered texts in one padded batch, shape (n,); nothing is cached."""
        ...

    def again(self) -> TextScorer:
        """The same checkpoint loaded a second time."""
        ...


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One row of a table: the thing, its name, the first paragraph of its docstring, its options."""

    name: str
    thing: T
    about: str
    options: Mapping[str, Any]


class NameTable(Generic[T]):
    """Things by name, in the order they were added.

    >>> shapes = NameTable("shape")
    >>> @shapes.add("square")
    ... def square(side: float) -> float:
    ...     '''Area of a square.'''
    ...     return side * side
    >>> shapes["square"].about
    'Area of a square.'
    >>> shapes["sqare"]
    Traceback (most recent call last):
    dehusk.core.errors.UnknownName: unknown shape 'sqare'; did you mean square
    """

    def __init__(self, kind: str) -> None:
        """Make an empty table of `kind`; its entry-point group is `dehusk.<kind>s`."""
        self.kind = kind
        self._rows: dict[str, Entry[T]] = {}
        self._plugins_loaded = False

    def add(self, name: str, **options: Any) -> Callable[[T], T]:
        """Register the decorated thing under `name`; refuses duplicates and missing docstrings."""

        def register(thing: T) -> T:
            about = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ").strip()
            if not about:
                raise TypeError(f"{self.kind} {name!r} needs a docstring: it is shown to users")
            if name in self._rows:
                raise TypeError(f"{self.kind} {name!r} is already taken")
            self._rows[name] = Entry(name, thing, about, MappingProxyType(options))
            return thing

        return register

    def __getitem__(self, name: str) -> Entry[T]:
        """Return the row called `name`.

        Raises:
            UnknownName: with the nearest names.
        """
        self._load_plugins()
        if name not in self._rows:
            raise UnknownName(self.kind, name, self._rows)
        return self._rows[name]

    def __iter__(self) -> Iterator[Entry[T]]:
        """Iterate over the rows in the order they were added."""
        self._load_plugins()
        return iter(tuple(self._rows.values()))

    def __len__(self) -> int:
        """Count the rows."""
        self._load_plugins()
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        """Whether `name` is taken."""
        self._load_plugins()
        return name in self._rows

    def _load_plugins(self) -> None:
        if not self._plugins_loaded:
            self._plugins_loaded = True
            for point in metadata.entry_points(group=f"dehusk.{self.kind}s"):
                point.load()


# A feature function takes (response) or (prompt, response) and returns an expression.
feature_functions: NameTable[Callable[..., pl.Expr]] = NameTable("feature")
miners: NameTable[Callable[..., tuple[Feature, ...]]] = NameTable("miner")
probes: NameTable[Callable[..., Any]] = NameTable("probe")
layouts: NameTable[Any] = NameTable("layout")
# (prompt, response, dose) -> the edited response, or None where the edit does not apply
edits: NameTable[Callable[[str, str, int], str | None]] = NameTable("edit")
# (name that the user gave or None, what follows "kind:", options) -> reward model
reward_models: NameTable[Callable[..., Any]] = NameTable("reward_model")
# (pairs, measures, rng, *, targets, …) -> Plan
repairs: NameTable[Callable[..., Any]] = NameTable("repair")
# pure functions of tensors, and what they are minimised by: classes with the options of one method as fields
losses: NameTable[Callable[..., Any]] = NameTable("loss")
objectives: NameTable[Callable[..., Any]] = NameTable("objective")
# (scores of m standardised members, shape (m, n), prompt of each row, shape (n,)) -> (n,)
combinations: NameTable[Callable[..., np.ndarray[Any, np.dtype[np.float64]]]] = NameTable("combination")
# a frozen reward model made another one
adjustments: NameTable[Callable[..., Any]] = NameTable("adjustment")
