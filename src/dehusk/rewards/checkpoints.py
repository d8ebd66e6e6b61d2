"""Folders of weights: what is in them, and models out of them.

Nothing in a folder is run: no pickle is opened and no remote code trusted. A weight that a model needs and the folder
lacks would be made up at random by the loading library, so that is an error here.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dehusk.core.errors import InputError, MissingExtra
from dehusk.core.options import at_home
from dehusk.rewards.packaged import PACKAGED, packaged_model

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_FETCHED = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.model", "*.txt"]


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds, read without loading it."""

    folder: Path
    where: str  # as the user named it
    config: Mapping[str, Any]  # config.json, empty for an adapter
    adapter: Mapping[str, Any] | None  # adapter_config.json
    tensors: Mapping[str, tuple[Path, tuple[int, ...]]]  # name -> file and shape

    @property
    def parameters(self) -> int:
        """Numbers in it."""
        sizes = (_product(shape) for _, shape in self.tensors.values())
        return sum(sizes)

    def tensor(self, name: str) -> Any:
        """One tensor, in float32."""
        from safetensors import safe_open

        with safe_open(self.tensors[name][0], framework="pt") as file:
            return file.get_tensor(name).float()

    def digest(self) -> str:
        """Hash of everything in the folder that a number can depend on."""
        found = hashlib.blake2b(digest_size=16)
        weights = {file for file, _ in self.tensors.values()}
        texts = {file for file in self.folder.iterdir() if file.suffix in (".json", ".jinja", ".txt", ".model")}
        for file in sorted(weights | texts):
            with file.open("rb") as opened:
                found.update(f"{file.name}\0".encode() + hashlib.file_digest(opened, "sha256").digest())
        return found.hexdigest()


def open_checkpoint(where: str) -> Checkpoint:
    """Look into a local folder, a packaged model (`dehusk models`) or a model of the hub (OWNER/NAME[@REVISION]).

    Raises:
        InputError: no such folder, no weights in it, or none that can be opened safely.
        MissingExtra: the libraries that models need are not installed.
    """
    require("a language model")
    folder = _folder(where)
    config, adapter = (_json(folder / name) for name in ("config.json", "adapter_config.json"))
    if config is None and adapter is None:
        found = ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
        raise InputError(f"no config.json, but {found}", where=where, expected="a folder that save_pretrained wrote")
    tensors = dict(_headers(folder, where))
    if not tensors:
        raise InputError("no weights", where=where, expected="*.safetensors", fix=_as_safetensors(folder))
    return Checkpoint(folder, where, config or {}, adapter, tensors)


def require(purpose: str) -> None:
    """Make sure that the libraries for models are there.

    Raises:
        MissingExtra: one is not.
    """
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError:
        raise MissingExtra("models", purpose) from None


def load(auto: str, checkpoint: Checkpoint, dtype: Any, *, spare: Iterable[str] = (), **options: Any) -> Any:
    """Load a model in evaluation mode.

    Args:
        auto: Class of transformers: "AutoModel", "AutoModelForCausalLM", …
        checkpoint: What to load.
        dtype: torch's number format.
        spare: Beginnings of names of weights that may be missing because they are not used.
        options: For `from_pretrained`.

    Raises:
        InputError: it cannot be loaded, or a weight is missing.
    """
    import transformers

    with quiet():
        try:
            model, report = getattr(transformers, auto).from_pretrained(
                checkpoint.folder,
                dtype=dtype,
                output_loading_info=True,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                **options,
            )
        except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
            said = " ".join(str(error).split())[:300]
            raise InputError(f"cannot be loaded: {said}", where=checkpoint.where) from None
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(tuple(spare)))
    if missing:
        raise InputError(
            f"{len(missing)} weights are not in it, such as {missing[0]}: they would be made up at random",
            where=checkpoint.where,
            expected="every weight of the model",
        )
    return model.eval()


def load_tokenizer(*places: Checkpoint) -> Any:
    """The tokenizer of the first checkpoint that has one.

    Raises:
        InputError: none has, or it cannot be loaded.
    """
    from transformers import AutoTokenizer

    for place in places:
        if any((place.folder / name).exists() for name in _TOKENIZER):
            try:
                with quiet():
                    return AutoTokenizer.from_pretrained(place.folder, trust_remote_code=False, local_files_only=True)
            except Exception as error:  # a tokenizer of another version fails in ways of its own
                said = " ".join(str(error).split())[:300]
                raise InputError(f"its tokenizer cannot be loaded: {said}", where=place.where) from None
    fix = f"copy tokenizer.json and tokenizer_config.json of the model it was trained from to {places[0].folder}"
    raise InputError("no tokenizer", where=places[0].where, fix=fix)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the loading library from printing bars, reports and the troubles of its friends: what matters is checked."""
    from transformers.utils import logging as library

    logging: Any = library  # it has no types
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _folder(where: str) -> Path:
    folder = Path(at_home(where))
    if folder.is_dir():
        return folder
    if where in PACKAGED:
        return packaged_model(where)
    name, _, revision = where.partition("@")
    if folder.exists() or name.count("/") != 1 or name.startswith((".", "/", "~")):
        fix = next((f"dehusk models {known}" for known in PACKAGED if known in where.lower()), None)
        raise InputError("no such folder", where=where, expected="a folder of weights, or OWNER/NAME", fix=fix)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=_FETCHED))
    except Exception as error:  # whatever its network stack raises
        said = " ".join(str(error).split()).split(". ")[0][:200]
        fix = "download it elsewhere and name its folder"
        raise InputError(f"no such folder, and the hub does not give it: {said}", where=where, fix=fix) from None


def _headers(folder: Path, where: str) -> Iterator[tuple[str, tuple[Path, tuple[int, ...]]]]:
    """Name, file and shape of every tensor, from the headers of the files."""
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with file.open("rb") as opened:
                header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        except (OSError, ValueError, MemoryError, OverflowError) as error:
            raise InputError(f"{file.name} cannot be read: {error}", where=where) from None
        for name, entry in header.items():
            if name != "__metadata__":
                yield name, (file, tuple(entry["shape"]))


def _as_safetensors(folder: Path) -> str | None:
    pickled = next((file for file in sorted(folder.iterdir()) if file.suffix in _PICKLES), None)
    if pickled is None:
        return None
    return (
        f"{pickled.name} is a pickle, which can run code and is not opened; load it where you trust it and "
        "save_pretrained(FOLDER, safe_serialization=True)"
    )


def _json(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total
