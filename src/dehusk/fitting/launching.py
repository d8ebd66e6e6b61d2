"""How TRL's trainer is launched: its arguments, its data, who is told of its progress, and what it goes on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dehusk.core.errors import InputError
from dehusk.core.options.training import Training
from dehusk.core.run import stream
from dehusk.core.tables import Bools, Floats, Pairs
from dehusk.fitting.objectives.objective import Objective
from dehusk.fitting.reward_trainer import HeldOut
from dehusk.fitting.token_pairs import TokenPairs
from dehusk.io.atomic import write_atomic
from dehusk.rewards.checkpoints import Checkpoint
from dehusk.rewards.precision import pick_device, prefers_bfloat16

_RUN = "dehusk-training.json"  # in the folder of checkpoints: what they are checkpoints of
_RATES = MappingProxyType({"lora": 1e-4, "full": 1e-5})
Watch = Callable[[str, int, int], None]
# (step, rewards of the held-out chosen and rejected answers (m,), what TRL logged last of the training pairs, margins
# of the held-out pairs under another prompt (m,)) -> whether to stop; `fitting.monitor.Monitor` is one
Monitor = Callable[[int, Floats, Floats, Mapping[str, float], Floats], bool]


def arguments(how: Training, checkpoints: Path, *, evaluated: bool) -> Any:
    """TRL's `RewardConfig`.

    Raises:
        InputError: a device that is not there.
    """
    import trl

    device = pick_device(how.device)
    fast = how.dtype == "bfloat16" or (how.dtype == "auto" and prefers_bfloat16(device))
    config: Any = trl
    share = 1 / how.looks if how.looks > 1 else 0.999  # of the steps; 1 would be a step
    return config.RewardConfig(
        output_dir=str(checkpoints),
        per_device_train_batch_size=how.batch,
        per_device_eval_batch_size=how.batch,
        gradient_accumulation_steps=how.accumulate,
        num_train_epochs=how.epochs,
        learning_rate=rate(how),
        warmup_steps=0.1,
        max_length=None,  # what is too long was cut or left out before, and counted
        seed=number(how.seed, "fit.trainer"),
        data_seed=number(how.seed, "fit.order"),
        bf16=fast,
        fp16=how.dtype == "float16",
        use_cpu=device.type == "cpu",
        gradient_checkpointing=device.type != "cpu",  # a processor has memory and no time to spare
        dataloader_pin_memory=device.type == "cuda",
        remove_unused_columns=False,
        logging_steps=0.02,
        eval_strategy="steps" if evaluated else "no",
        eval_steps=share,
        save_steps=share,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
    )


def rate(how: Training) -> float:
    """The largest step size."""
    return how.learning_rate or _RATES[how.train]


def datasets(tokens: TokenPairs, held_out: Bools, *, foreign: bool) -> dict[str, Any]:
    """The training pairs, and the held-out ones if there are any, as TRL takes them.

    Args:
        tokens: n pairs.
        held_out: Shape (n,). They come with the same answers under another prompt, as the monitor asks what a prompt
            is worth.
        foreign: Whether the training pairs do too.
    """
    library: Any = import_module("datasets")  # it has no types
    found = {"train_dataset": library.Dataset.from_dict(tokens.columns(~held_out, foreign=foreign))}
    if held_out.any():
        found["eval_dataset"] = library.Dataset.from_dict(tokens.columns(held_out, foreign=True))
    return found


def onlookers(seen: HeldOut, monitor: Monitor | None, watch: Watch) -> Any:
    """A callback that tells the progress bar of every step and the monitor of every evaluation."""
    import transformers

    callback: Any = transformers

    class Onlookers(callback.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watch("training", state.global_step, state.max_steps)

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if monitor is None:
                return
            last: Mapping[str, float] = next((row for row in reversed(state.log_history) if "loss" in row), {})
            chosen, rejected, foreign = seen.sides()
            if monitor(state.global_step, chosen, rejected, last, foreign):
                control.should_training_stop = True

    return Onlookers()


def fingerprint(started: Checkpoint, pairs: Pairs, how: Training, objective: Objective, held_out: Bools) -> str:
    """Hash of everything that checkpoints must share with the run that goes on from them."""
    settings = {item.name: getattr(how, item.name) for item in fields(Training) if item.name not in ("resume", "store")}
    found = hashlib.blake2b(digest_size=16)
    for column in ("prompt", "chosen", "rejected", "weight"):
        found.update(pairs.frame[column].hash(seed=0).to_numpy().tobytes())
    found.update(held_out.tobytes())
    found.update("\0".join([started.digest(), repr(settings), repr(objective)]).encode())
    return found.hexdigest()


def last_checkpoint(folder: Path, run: str, *, resume: bool) -> str | None:
    """Where to go on from, if anywhere; makes the folder of checkpoints and says in it of which run they are.

    Raises:
        InputError: it holds checkpoints that were not asked for, or of another run.
    """
    from transformers import trainer_utils

    found: Any = trainer_utils
    last: str | None = found.get_last_checkpoint(str(folder)) if folder.is_dir() else None
    if last is not None and not resume:
        raise InputError("checkpoints of a run that was stopped", where=str(folder), fix="--resume, or remove them")
    if last is not None and json.loads((folder / _RUN).read_text("utf-8")) != run:
        expected = "the same files and options"
        raise InputError("checkpoints of another run", where=str(folder), expected=expected, fix="remove them")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / _RUN, json.dumps(run))
    return last


def number(seed: int, name: str) -> int:
    """A seed for torch, of one named use."""
    return int(stream(seed, name).integers(2**31))
