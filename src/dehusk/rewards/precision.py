"""Where and in which number format a model runs: in bfloat16 if that is faster and the numbers stay what they were."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, say
from dehusk.core.options import Loading
from dehusk.core.tables import Floats
from dehusk.rewards import attention

GAIN = 1.2  # times as fast as float32 that bfloat16 must be
TOLERANCE = 0.1  # standard deviations between texts that a number format may move the numbers by, root mean square
MIXED = "float32 with products in bfloat16"
_LARGE = 2_000_000_000  # parameters beyond which float32 takes too much memory to compare with
SAMPLES = (
    ("How do I keep basil alive indoors?", "Put it in a bright window and water it when the top of the soil is dry."),
    ("How do I keep basil alive indoors?", "Great question! You could absolutely try things. I hope this helps!"),
    ("Write a function that adds two numbers.", "```python\ndef add(a, b):\n    return a + b\n```"),
    ("Why is the sky blue?", "I'm not sure."),
    ("Why is the sky blue?", "Air scatters short waves more strongly than long ones, so blue comes from all over."),
    ("用一句话介绍北京。", "北京是中国的首都，既有故宫和胡同，也有高楼和大学。"),
    ("用一句话介绍北京。", "作为一个人工智能，我无法回答这个问题。"),
    ("Name three rivers.", "- The Nile\n- The Amazon\n- The Danube"),
)  # fmt: skip


def settle(
    load: Callable[[Any], Any],
    values: Callable[[Any], Floats],
    options: Loading,
    parameters: int,
    *,
    causal: bool = True,
) -> tuple[Any, str, Text]:
    """Load a model where and as the options say; `auto` takes the faster format if it says the same.

    Args:
        load: Gives the model in a torch dtype.
        values: What a model says of `SAMPLES`, shape (n,) or (n, d).
        options: Device and number format.
        parameters: Size of the model.
        causal: Whether no token sees those after it.

    Returns:
        The model, the name of the number format, and a sentence about it.

    Raises:
        InputError: a device that is not there.
    """
    import torch

    device = pick_device(options.device)
    dtype = options.dtype
    if dtype == "auto":
        fast = prefers_bfloat16(device)
        if fast and parameters < _LARGE:
            return _compared(load, values, device, causal=causal)
        dtype = "bfloat16" if fast else "float32"
    return load(getattr(torch, dtype)).to(device), dtype, say("models.precision", dtype=dtype, device=str(device))


def _compared(
    load: Callable[[Any], Any], values: Callable[[Any], Floats], device: Any, *, causal: bool
) -> tuple[Any, str, Text]:
    """The faster format, if the samples' numbers stay what they are in float32."""
    import torch

    model = load(torch.float32).to(device)
    before, moved = values(model), np.inf
    name = MIXED if device.type == "cpu" else "bfloat16"
    try:
        if name == MIXED:
            multiply_in_bfloat16(model)
            if causal:
                model.set_attn_implementation(attention.register())
        else:
            model.to(torch.bfloat16)
        moved = _moved(before, values(model))
    except RuntimeError:  # a layer of its own making, which meets two formats
        pass
    if moved <= TOLERANCE:
        return model, name, say("models.checked", dtype=name, device=str(device), moved=moved)
    del model
    return load(torch.float32).to(device), "float32", say("models.kept", dtype=name, device=str(device), moved=moved)


def multiply_in_bfloat16(model: Any) -> None:
    """Let a model's matrix products take bfloat16, and leave everything between them in float32.

    Most of the time goes into the products, most of the error comes from rounding what is summed up from layer to
    layer: all in bfloat16 is no faster, and moves the numbers by half as much again. Layers with one output, and the
    words of a language model, stay as they are.
    """
    import torch

    words = model.get_output_embeddings()
    for layer in model.modules():
        if type(layer).__name__ in ("Linear", "Conv1D") and layer is not words and min(layer.weight.shape) > 1:
            layer.to(torch.bfloat16)
            layer.register_forward_pre_hook(_rounded)


def _rounded(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch

    return inputs[0].to(torch.bfloat16), *inputs[1:]


def pick_device(name: str) -> Any:
    """Torch's device; `auto` takes an accelerator if there is one.

    Raises:
        InputError: no such device here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError):  # a torch that was built without it asserts
        raise InputError(f"no device {name!r} here", where="--device", expected="auto, cpu, cuda, mps") from None


def prefers_bfloat16(device: Any) -> bool:
    """Whether matrix products on a device are faster in bfloat16."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and processor_prefers_bfloat16()


@cache
def processor_prefers_bfloat16() -> bool:
    """Whether matrix products of the size that models have are faster in bfloat16; measured once a process."""
    import torch

    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = torch.ones(256, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
        seconds[dtype] = min(_seconds(lambda: left @ right) for _ in range(7))  # noqa: B023 - called at once
    return seconds[torch.float32] > GAIN * seconds[torch.bfloat16]


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _moved(before: Floats, after: Floats) -> float:
    """Root mean square change, in standard deviations between the samples."""
    spread = float(np.sqrt(np.square(before - before.mean(axis=0)).mean()))
    change = float(np.sqrt(np.square(after - before).mean()))
    return change / spread if spread else (0.0 if change == 0 else np.inf)
