"""`linear:`, a small head on the embeddings of a frozen model; `fitting.heads` makes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.kinds import reward_models
from dehusk.core.options import Scoring, at_home
from dehusk.core.tables import Floats
from dehusk.io.atomic import write_atomic
from dehusk.rewards.checkpoints import require
from dehusk.rewards.embedding import Embedder, Pooling, open_embedder
from dehusk.rewards.store import Store

FORMAT = 1


@dataclass(frozen=True)
class Place:
    """Where a head sits: on which states of which model."""

    embedder: str  # folder, hub name or packaged model
    layers: tuple[int, ...] = (-1,)
    pooling: Pooling = "mean"
    max_length: int | None = None


@dataclass(frozen=True)
class LinearHead:
    """A head: standardisation, then layers with a ReLU between them; the last has one output.

    `mean` and `scale` have the shape (d,); `weights[i]` has the shape (outputs, inputs) and `biases[i]` (outputs,).
    """

    mean: Floats
    scale: Floats
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def __post_init__(self) -> None:
        """Check that the layers fit together.

        Raises:
            InputError: they do not.
        """
        widths = [self.mean.size, *(weight.shape[0] for weight in self.weights)]
        fits = len(self.weights) == len(self.biases) > 0 and self.scale.shape == self.mean.shape and widths[-1] == 1
        shapes = zip(self.weights, self.biases, widths, strict=False)
        if not fits or any(w.shape[1:] != (into,) or b.shape != w.shape[:1] for w, b, into in shapes):
            shown = ", ".join(str(weight.shape) for weight in self.weights)
            raise InputError(
                f"layers of shapes {shown} on {self.mean.size} dimensions", expected="one output at the end"
            )

    def rewards(self, points: Any) -> Floats:
        """Rewards, shape (n,), of embeddings, shape (n, d)."""
        state: Floats = (np.asarray(points, dtype=np.float64) - self.mean) / self.scale
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            state = (np.maximum(state, 0) if i else state) @ weight.T + bias
        return state[:, 0]


@dataclass(frozen=True)
class Linear:
    """A head on a frozen model, as a reward model."""

    name: str
    head: LinearHead
    embedder: Embedder
    identity: str
    notes: tuple[str, ...]
    texts_a_call: int = 2048  # a killed run loses none of them: embeddings are kept batch by batch

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:  # noqa: D102 - see the protocol
        return self.head.rewards(self.embedder.embed(prompts, responses))


@reward_models.add("linear")
def open_linear(name: str | None, where: str, options: Scoring) -> Linear:
    """A folder with a linear or small-MLP head on the embeddings of a frozen language model (head.safetensors).

    Its config.json names the model, the layers and how they are pooled. Embeddings are kept in the store.

    Raises:
        InputError: no such head, or a model that cannot be loaded.
        MissingExtra: the libraries that models need are not installed.
    """
    head, place = load_head(where)
    if options.max_length is None:
        options = replace(options, max_length=place.max_length)
    embedder = open_embedder(
        place.embedder, options, layers=place.layers, pooling=place.pooling, store=Store(options.store)
    )
    content = hashlib.blake2b(Path(at_home(where), "head.safetensors").read_bytes(), digest_size=16).hexdigest()
    looks = (embedder.rendering.remark(), embedder.precision)
    return Linear(
        name=name or Path(where).name,
        head=head,
        embedder=embedder,
        identity=f"linear:{content} {embedder.identity}",
        notes=tuple(text.render(getattr(options, "lang", "en")) for text in looks),
    )


def save_head(folder: str | Path, head: LinearHead, place: Place) -> None:
    """Write a head to a folder, which `linear:FOLDER` opens.

    Raises:
        InputError: the folder cannot be written.
        MissingExtra: safetensors is not installed.
    """
    require("a head")
    from safetensors.numpy import save

    Path(folder).mkdir(parents=True, exist_ok=True)
    tensors = {"mean": head.mean, "scale": head.scale}
    for i, (weight, bias) in enumerate(zip(head.weights, head.biases, strict=True)):
        tensors |= {f"weight.{i}": weight, f"bias.{i}": bias}
    packed = save({name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()})
    write_atomic(Path(folder) / "head.safetensors", packed)
    write_atomic(Path(folder) / "config.json", json.dumps({"dehusk_head": FORMAT, **asdict(place)}, indent=1) + "\n")


def load_head(folder: str | Path) -> tuple[LinearHead, Place]:
    """Read what `save_head` wrote.

    Raises:
        InputError: it is something else.
        MissingExtra: safetensors is not installed.
    """
    require("a head")
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(at_home(str(folder)))
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
        tensors = {k: v.astype(np.float64) for k, v in load((path / "head.safetensors").read_bytes()).items()}
    except (OSError, ValueError, SafetensorError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"no head: {said}", where=str(folder), expected="config.json and head.safetensors") from None
    if config.get("dehusk_head") != FORMAT:
        raise InputError("config.json is not that of a head", where=str(folder), expected=f'"dehusk_head": {FORMAT}')
    count = sum(name.startswith("weight.") for name in tensors)
    try:
        layers = [(tensors[f"weight.{i}"], tensors[f"bias.{i}"]) for i in range(count)]
        head = LinearHead(tensors["mean"], tensors["scale"], *zip(*layers, strict=True))
        place = Place(str(config["embedder"]), tuple(config["layers"]), config["pooling"], config.get("max_length"))
    except (KeyError, TypeError) as error:
        raise InputError(f"a head without its part {error}", where=str(folder)) from None
    return head, place
