"""Training logs as trainers write them: every form is read, trainer and task are told, mistakes are one line."""

from __future__ import annotations

import base64
import json
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dehusk import audit
from dehusk.core.errors import InputError
from dehusk.core.findings import Audit
from dehusk.core.tables import TrainLog
from dehusk.io import read_log
from dehusk.io.logs.events import masked_crc, scalars
from dehusk.io.logs.recognition import framework_of, task_of
from dehusk.io.logs.vocabulary import named

REAL = Path(__file__).parents[3] / "shared" / "data" / "logs"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not on this machine")

# Written by torch.utils.tensorboard 2.13 (tensorboard 2.21): a text, train/loss and train/epoch at steps 10, 20 and 30
# (the last loss NaN), and eval/rewards/margins = -1.25 at 20 in the new style, which puts it into a tensor.
GENUINE = zlib.decompress(
    base64.b85decode(
        "c-r$|fPjCKJmzw~$>dtockq^@6mL>dVrHJ6YguYuiIq{19+yr@YF=@EQBr<lQHox1X>M*}QKepaQD#YMkzOiDReV}zPHH?vMC@*u"
        "u^rUho0lA(a|RVa%+)gHGUO6WEJ`odFG;N^iH92GB*eik#3IDR!RW+Mt(2%_rC?a=#lgkK#R5{5;k@s;0@O6kw<`lU0}COh32<o%"
        "a|v>Bm4Mu;pOar)EXt5?X#eDHafKpOJ!AEoZ=BT#^&(tCT-*@#sRjAT8KP&;oUxs??)Xa-3+BQ!h+ta4z+hi8^&uyU1=|qnu~^_^"
        "cTD`;W)urf!!*cYvEV@c!uRe)C>A_IsK>Bi*36l98NB`$Hc$;Gwl5CiG%JF;NS{lWOC+@{F-N~BwHz3G#rnV?PtVLNcH-b*)M8;^"
        "Sg_xVn~Rf+y*N2BC$Xq_?^Oq00EL04+W"
    )
)

HISTORY = [
    {"step": 10, "epoch": 0.1, "loss": 0.69, "learning_rate": 1e-6, "rewards/chosen": 0.1, "rewards/rejected": -0.1,
     "rewards/accuracies": 0.6, "rewards/margins": 0.2, "logps/chosen": -100.0, "logps/rejected": -110.0},
    {"step": 20, "epoch": 0.2, "loss": 0.65, "learning_rate": 9e-7, "rewards/chosen": 0.0, "rewards/rejected": -0.4,
     "rewards/accuracies": 0.7, "rewards/margins": 0.4, "logps/chosen": -101.0, "logps/rejected": -113.0},
    {"step": 20, "epoch": 0.2, "eval_loss": 0.66, "eval_rewards/accuracies": 0.65, "eval_runtime": 3.0},
    {"step": 20, "epoch": 0.2, "train_loss": 0.67, "total_flos": 0.0, "train_runtime": 12.0},
]  # fmt: skip


def values(log: TrainLog, metric: str) -> dict[int, float]:
    rows = log.frame.filter(log.frame["metric"] == metric)
    return dict(zip(rows["step"].to_list(), rows["value"].to_list(), strict=True))


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def state(history: list[dict[str, Any]], step: int = 20) -> str:
    return json.dumps({"global_step": step, "log_history": history}, indent=2)


# The forms


def test_trainer_state_of_the_highest_checkpoint(tmp_path: Path) -> None:
    put(tmp_path / "checkpoint-9" / "trainer_state.json", state(HISTORY[:1], 9))
    put(tmp_path / "checkpoint-20" / "trainer_state.json", state(HISTORY))
    log, record = read_log(str(tmp_path))
    assert (log.framework, log.task, record.layout) == ("trl", "dpo", "trainer_state")
    assert values(log, "implicit_chosen") == {10: 0.1, 20: 0.0}
    assert values(log, "eval/accuracy") == {20: 0.65}
    assert values(log, "loss") == {10: 0.69, 20: 0.65}  # not the mean in the last entry
    assert values(log, "train_loss") == {20: 0.67}
    assert log.frame.filter(log.frame["step"] == 10)["epoch"].unique().to_list() == [0.1]
    assert "checkpoint-20/trainer_state.json" in " ".join(record.notes)


def test_a_state_saved_at_the_end_beats_an_older_checkpoint(tmp_path: Path) -> None:
    put(tmp_path / "checkpoint-10" / "trainer_state.json", state(HISTORY[:1], 10))
    put(tmp_path / "trainer_state.json", state(HISTORY))
    assert values(read_log(str(tmp_path))[0], "loss") == {10: 0.69, 20: 0.65}


def test_a_bare_state_and_its_history_alone_are_the_same(tmp_path: Path) -> None:
    whole, _ = read_log(str(put(tmp_path / "trainer_state.json", state(HISTORY))))
    alone, _ = read_log(str(put(tmp_path / "history.json", json.dumps(HISTORY))))
    rows, _ = read_log(str(put(tmp_path / "history.jsonl", lines(HISTORY))))
    assert whole.frame.equals(alone.frame)
    assert whole.frame.equals(rows.frame)


def test_llama_factory(tmp_path: Path) -> None:
    rows = [
        {"current_steps": 10, "total_steps": 100, "loss": 0.6, "accuracy": 0.7, "lr": 1e-6, "epoch": 0.1,
         "percentage": 10.0, "elapsed_time": "0:00:12", "remaining_time": "0:01:48"},
        {"current_steps": 20, "total_steps": 100, "eval_loss": 0.5, "epoch": 0.2, "elapsed_time": "0:00:24"},
    ]  # fmt: skip
    put(tmp_path / "trainer_log.jsonl", lines(rows))
    log, record = read_log(str(tmp_path))
    assert (log.framework, log.task, record.layout) == ("llama-factory", "dpo", "trainer_log")
    assert values(log, "accuracy") == {10: 0.7}
    assert values(log, "learning_rate") == {10: 1e-6}
    assert values(log, "eval/loss") == {20: 0.5}
    put(tmp_path / "checkpoint-20" / "trainer_state.json", state(HISTORY))  # says more, and is still LLaMA-Factory's
    log, record = read_log(str(tmp_path))
    assert (log.framework, record.layout) == ("llama-factory", "trainer_state")


def test_ms_swift_reward_model_has_scores(tmp_path: Path) -> None:
    rows = [
        {"loss": 0.6, "rewards/chosen": 2.5, "rewards/rejected": 1.5, "rewards/accuracies": 0.6, "rewards/margins": 1.0,
         "learning_rate": "5.0e-06", "epoch": 0.1, "global_step/max_steps": "5/100", "memory(GiB)": 3.2},
        {"eval_loss": 0.5, "global_step/max_steps": "10/100"},
        {"last_model_checkpoint": "checkpoint-10", "global_step": 10, "log_history": [{"step": 5, "loss": 9}]},
    ]  # fmt: skip
    log, record = read_log(str(put(tmp_path / "logging.jsonl", lines(rows))))
    assert (log.framework, log.task, record.layout) == ("ms-swift", "reward_model", "logging")
    assert values(log, "chosen_score") == {5: 2.5}
    assert values(log, "learning_rate") == {5: 5e-6}
    assert values(log, "loss") == {5: 0.6}
    assert not values(log, "implicit_chosen")
    assert any("raw scores" in note for note in record.notes)


def test_verl(tmp_path: Path) -> None:
    rows = [
        {"step": step, "data": {"critic/score/mean": 0.1 * step, "critic/rewards/mean": 0.09, "actor/kl_loss": 0.01,
         "response_length/mean": 300.0, "response_length/clip_ratio": 0.25, "actor/pg_clipfrac": 0.02,
         "actor/ppo_kl": 0.001, "actor/entropy": 0.4, "val-core/openai/gsm8k/acc/mean@1": 0.5}}
        for step in (1, 2)
    ]  # fmt: skip
    log, record = read_log(str(put(tmp_path / "run.jsonl", lines(rows))))
    assert (log.framework, log.task, record.layout) == ("verl", "grpo", "verl")
    assert values(log, "reward") == {1: 0.1, 2: 0.2}
    assert values(log, "critic/rewards/mean") == {1: 0.09, 2: 0.09}  # a second word for it keeps its own name
    assert values(log, "truncated") == {1: 0.25, 2: 0.25}
    assert values(log, "ratio_clipped") == {1: 0.02, 2: 0.02}
    assert values(log, "step_kl") == {1: 0.001, 2: 0.001}
    assert values(log, "eval/score/openai/gsm8k") == {1: 0.5, 2: 0.5}


def test_openrlhf_from_wandb(tmp_path: Path) -> None:
    rows = [
        {"_step": 0, "train/global_step": 10, "train/loss": 0.6, "train/acc": 0.7, "train/acc_mean": 0.65,
         "train/chosen_reward": 1.0, "train/reject_reward": 0.5, "train/lr": 1e-5},
        {"_step": 1, "eval/global_step": 10, "eval/eval_loss": 0.5, "eval/acc_mean": 0.68, "eval/reward_mean": 0.1,
         "eval/reward_std": 2.0},
    ]  # fmt: skip
    log, _ = read_log(str(put(tmp_path / "history.jsonl", lines(rows))))
    assert (log.framework, log.task) == ("openrlhf", "reward_model")
    assert values(log, "accuracy") == {10: 0.7}
    assert values(log, "train/acc_mean") == {10: 0.65}
    assert values(log, "eval/accuracy") == {10: 0.68}
    assert values(log, "eval/score_std") == {10: 2.0}


def test_csv_with_holes(tmp_path: Path) -> None:
    text = "step,train_reward,kl,eval_reward,odd\n0,,,0.5,1\n1,0.6,nan,,\n2,0.7,0.2,inf,x\n"
    log, record = read_log(str(put(tmp_path / "metrics.csv", text)))
    assert record.layout == "csv"
    assert values(log, "reward") == {1: 0.6, 2: 0.7}
    assert math.isnan(values(log, "kl")[1])
    assert values(log, "eval/reward") == {0: 0.5, 2: math.inf}
    assert values(log, "odd") == {0: 1.0}


def test_a_long_table_and_a_chart_exported_by_wandb(tmp_path: Path) -> None:
    long, _ = read_log(str(put(tmp_path / "long.csv", "step,metric,value\n1,loss,0.7\n2,loss,0.6\n")))
    assert values(long, "loss") == {1: 0.7, 2: 0.6}
    chart, _ = read_log(str(put(tmp_path / "chart.csv", "Step,my run - train/loss\n1,0.7\n2,0.6\n")))
    assert values(chart, "loss") == {1: 0.7, 2: 0.6}


def test_columns_that_the_user_names(tmp_path: Path) -> None:
    path = put(tmp_path / "mine.csv", "iteration_no,rm\n1,0.5\n2,0.6\n")
    log, _ = read_log(str(path), columns={"step": "iteration_no", "reward": "rm", "prompt": "question"})
    assert values(log, "reward") == {1: 0.5, 2: 0.6}
    with pytest.raises(InputError, match=r"no column 'iteration'.*--map step=iteration_no"):
        read_log(str(path), columns={"step": "iteration"})


# TensorBoard


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def event(step: int, tag: str, value: float) -> bytes:
    inner = b"\x0a" + varint(len(tag.encode())) + tag.encode() + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + varint(len(inner)) + inner
    return record(b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(step) + b"\x2a" + varint(len(summary)) + summary)


def test_what_tensorboard_wrote_is_read() -> None:
    found, cut = scalars(GENUINE, "events")
    assert not cut
    assert [(one.step, one.tag) for one in found][::2] == [(10, "train/loss"), (20, "train/loss"), (30, "train/loss"),
                                                          (20, "eval/rewards/margins")]  # fmt: skip
    assert found[0].value == pytest.approx(0.6931, abs=1e-6)
    assert math.isnan(found[4].value)
    assert found[6].value == -1.25


def test_the_writer_of_torch_if_it_is_there(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    writer = SummaryWriter(str(tmp_path))
    for step in range(5):
        writer.add_scalar("train/loss", 1.0 / (step + 1), step)
    writer.close()
    assert values(read_log(str(tmp_path))[0], "loss") == pytest.approx({step: 1 / (step + 1) for step in range(5)})


def test_checksums_are_those_of_the_standard() -> None:
    # RFC 3720, B.4: 32 bytes of zeros have the CRC-32C 0x8a9136aa; event files rotate it and add a constant.
    crc = 0x8A9136AA
    assert masked_crc(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_any_scalar_comes_back() -> None:
    rng = np.random.default_rng(0)
    steps = [0, 1, 127, 128, 2**31, 2**40, -1, *rng.integers(0, 10**6, 50).tolist()]
    sent = [(step, f"标签/{number}", float(np.float32(rng.normal()))) for number, step in enumerate(steps)]
    found, cut = scalars(b"".join(event(*one) for one in sent), "events")
    assert not cut
    assert [tuple(one) for one in found] == sent


def test_a_run_that_was_killed_while_writing(tmp_path: Path) -> None:
    data = b"".join(event(step, "train/loss", 0.5) for step in range(3))
    for lost in (1, 5, 20):
        log, record_ = read_log(str(put(tmp_path / "events.out.tfevents.1", data[:-lost])))
        assert values(log, "loss") == {0: 0.5, 1: 0.5}
        assert any("cut off" in note for note in record_.notes)


@pytest.mark.parametrize("at", [3, 9, 20, 60])
def test_damage_is_noticed(tmp_path: Path, at: int) -> None:
    data = bytearray(b"".join(event(step, "train/loss", 0.5) for step in range(3)))
    data[at + 50] ^= 0xFF
    with pytest.raises(InputError, match=r"row \d: a damaged record"):
        read_log(str(put(tmp_path / "events.out.tfevents.1", bytes(data))))


def test_the_newest_run_of_a_folder_and_both_files_of_a_resumed_one(tmp_path: Path) -> None:
    old = put(tmp_path / "runs" / "a" / "events.out.tfevents.1", event(1, "train/loss", 9.0))
    os.utime(old, (1, 1))
    put(tmp_path / "runs" / "b" / "events.out.tfevents.1", event(1, "train/loss", 0.5) + event(2, "train/loss", 0.4))
    put(tmp_path / "runs" / "b" / "events.out.tfevents.2", event(2, "train/loss", 0.3))
    put(tmp_path / "runs" / "b" / "1700000000.5" / "events.out.tfevents.3", event(0, "hp", 1.0))  # add_hparams
    log, record_ = read_log(str(tmp_path))
    assert values(log, "loss") == pytest.approx({1: 0.5, 2: 0.3})
    notes = " ".join(record_.notes)
    assert "1 older runs" in notes
    assert "1 numbers were logged twice" in notes


def test_epochs_of_tensorboard(tmp_path: Path) -> None:
    log, _ = read_log(str(put(tmp_path / "events.out.tfevents.9", GENUINE)))
    assert log.frame.filter(log.frame["step"] == 20)["epoch"].to_list() == pytest.approx([0.2, 0.2])
    assert "epoch" not in set(log.frame["metric"])


# The vocabulary


@pytest.mark.parametrize(
    ("task", "key", "name"),
    [
        ("dpo", "rewards/chosen", "implicit_chosen"),
        ("kto", "rewards/chosen", "implicit_chosen"),
        ("reward_model", "rewards/chosen", "chosen_score"),
        ("reward_model", "eval_rewards/chosen", "eval/chosen_score"),
        ("reward_model", "reward_std", "score_std"),
        ("grpo", "reward_std", "reward_std"),
        ("grpo", "clip_ratio", "ratio_clipped"),
        ("grpo", "response_length/clip_ratio", "truncated"),
        ("grpo", "completions/clipped_ratio", "truncated"),
        ("grpo", "completion_length", "length"),
        ("grpo", "rewards/format_reward/mean", "reward/format_reward"),
        ("grpo", "rewards/format_reward", "reward/format_reward"),
        ("grpo", "rewards//mean", "reward/unnamed"),
        ("grpo", "rewards/format_reward/std", "rewards/format_reward/std"),
        ("grpo", "eval_rewards/format_reward/mean", "eval/reward/format_reward"),
        ("grpo", "kl", "kl"),
        ("kto", "kl", "kl_answer"),
        ("ppo", "objective/kl", "kl_answer"),
        ("ppo", "val/clipfrac_avg", "val/clipfrac_avg"),  # the value function's, not a validation set's
        ("ppo", "eval_gsm8k_pass1", "eval/score/gsm8k"),
        ("dpo", "my_own/number", "my_own/number"),
    ],
)
def test_what_a_key_means(task: str, key: str, name: str) -> None:
    assert named([key], task, {}) == {key: name}


def test_the_better_of_two_words_wins() -> None:
    assert named(["train_loss", "loss"], "dpo", {}) == {"train_loss": "train_loss", "loss": "loss"}
    assert named(["train_loss"], "dpo", {}) == {"train_loss": "loss"}
    both = named(["accuracy", "rewards/accuracies"], "dpo", {})
    assert both == {"accuracy": "accuracy (as in the file)", "rewards/accuracies": "accuracy"}


@pytest.mark.parametrize(
    ("keys", "framework", "task"),
    [
        (["loss", "accuracy", "margin", "min_reward", "mean_reward", "max_reward"], "trl", "reward_model"),
        (["loss", "rewards/chosen", "rewards/accuracies", "logps/chosen", "kl", "mean_token_accuracy"], "trl", "dpo"),
        (["loss", "kl", "rewards/chosen", "rewards/margins", "logps/chosen"], "trl", "kto"),
        (["loss", "reward", "reward_std", "kl", "completion_length", "rewards/format"], "trl", "grpo"),
        (["loss", "reward", "frac_reward_zero_std", "completions/mean_length"], "trl", "grpo"),
        (["objective/kl", "objective/scores", "loss/policy_avg", "val/ratio"], "trl", "ppo"),
        (["train/rollout/reward_mean", "train/policy_loss", "train/critic_loss"], "openrlhf", "ppo"),
        (["train/rollout/reward_mean", "train/policy_loss"], "openrlhf", "grpo"),
        (["train/acc", "train/chosen_reward", "train/reject_reward", "train/nll_loss"], "openrlhf", "dpo"),
        (["critic/score/mean", "critic/vf_loss", "actor/pg_loss"], "verl", "ppo"),
        (["loss", "token_acc", "memory(GiB)"], "ms-swift", "sft"),
        (["loss", "eval_loss", "eval_accuracy"], "unknown", "reward_model"),
        (["reward", "kl", "accuracy"], "unknown", "unknown"),
        (["loss", "learning_rate"], "unknown", "unknown"),
    ],
)
def test_trainer_and_task(keys: list[str], framework: str, task: str) -> None:
    assert framework_of(keys) == framework
    assert task_of(keys, framework) == task


# What can go wrong


def test_non_finite_numbers_are_kept(tmp_path: Path) -> None:
    log, _ = read_log(str(put(tmp_path / "trainer_state.json", '{"log_history": [{"step": 1, "loss": NaN}]}')))
    assert math.isnan(values(log, "loss")[1])


def test_a_last_line_that_was_cut_off(tmp_path: Path) -> None:
    log, record_ = read_log(str(put(tmp_path / "logging.jsonl", lines(HISTORY[:2]) + '{"step": 30, "lo')))
    assert set(values(log, "loss")) == {10, 20}
    assert any("cut off" in note for note in record_.notes)


def test_the_later_of_two_numbers_counts(tmp_path: Path) -> None:
    again = [*HISTORY[:2], {"step": 20, "loss": 0.61}]
    log, record_ = read_log(str(put(tmp_path / "history.jsonl", lines(again))))
    assert values(log, "loss") == {10: 0.69, 20: 0.61}
    assert any("1 numbers were logged twice" in note for note in record_.notes)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b"", "the file is empty; expected what a trainer wrote"),
        ("a.jsonl", b" \n \n", "the file is empty"),
        ("a.jsonl", lines(HISTORY[:1]) + "{broken\n" + lines(HISTORY[1:2]), "row 2: broken JSON.*one object a line"),
        ("a.json", '{"log_history": [', "row 1: broken JSON.*an earlier checkpoint"),
        ("a.json", '{"log_history": []}', "nothing was logged yet"),
        ("a.json", '{\n"model": "x"\n}', "JSON without log_history"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.bin", bytes(range(256)) * 8, "a binary file"),
        ("a.log", "step 1 loss 0.5\n", "no log that is known.*output folder"),
        ("a.jsonl", '{"prompt": "a", "chosen": "b", "rejected": "c"}\n', r"rows of texts.*--pairs .*a\.jsonl"),
        ("a.jsonl", '{"step": 1, "input": "q", "output": "b", "score": 1}\n', r"rows of texts.*--responses .*a\.jsonl"),
        ("a.csv", "loss,stepp\n1,2\n", "no step among loss, stepp.*--map step=stepp"),
        ("a.csv", "step,note\n1,hello\n", "no numbers with a step"),
        ("a.csv", "step,loss\n1,2,3\n", "row 2.*3 fields"),
    ],
)
def test_one_clear_line(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        read_log(str(put(tmp_path / name, content)))
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


def test_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    put(tmp_path / "logging.jsonl", lines(HISTORY))
    with pytest.raises(InputError, match=r"no such file.*Try: .*logging\.jsonl"):
        read_log(str(tmp_path / "loging.jsonl"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="a folder without a log; expected checkpoint-"):
        read_log(str(tmp_path / "empty"))


def test_only_what_counts_steps_passes_for_a_log(tmp_path: Path) -> None:
    put(tmp_path / "answers.csv", "prompt,response\na,b\n")
    put(tmp_path / "pairs.jsonl", '{"prompt": "step", "chosen": "a", "rejected": "b"}\n')
    put(tmp_path / "broken.parquet", b"not parquet")
    with pytest.raises(InputError, match=r"a folder without a log; expected .* a table with a column step$"):
        read_log(str(tmp_path))
    put(tmp_path / "run.csv", "\ufeffstep,loss\n1,0.7\n2,0.6\n")
    assert values(read_log(str(tmp_path))[0], "loss") == {1: 0.7, 2: 0.6}
    put(tmp_path / "second.jsonl", lines([{"loss": 0.7, "global_step": 1}]))
    with pytest.raises(InputError, match=r"2 files that may be logs: run.csv, second.jsonl; .*Try: --log .*second"):
        read_log(str(tmp_path))
    pl.DataFrame({"iter": [1], "loss": [0.5]}).write_parquet(tmp_path / "third.parquet")
    with pytest.raises(InputError, match="3 files"):
        read_log(str(tmp_path))


def test_several_runs_in_one_folder(tmp_path: Path) -> None:
    for run in ("v0", "v1"):
        put(tmp_path / run / "logging.jsonl", lines(HISTORY))
    with pytest.raises(InputError, match=r"2 runs: v0, v1.*Try: --log .*v1"):
        read_log(str(tmp_path))


def test_notes_in_chinese(tmp_path: Path) -> None:
    _, record_ = read_log(str(put(tmp_path / "trainer_state.json", state(HISTORY))), lang="zh")
    assert "框架：TRL；任务：DPO" in record_.notes[0]


def test_an_audit_of_a_log_alone(tmp_path: Path) -> None:
    rows = [{"step": step, "train_reward": min(1.0, step / 20), "kl": step / 50} for step in range(1, 81)]
    found = audit(log=str(put(tmp_path / "run.jsonl", lines(rows))))
    again = Audit.from_json(found.to_json())
    told = {one.sentence.key: one for one in again.findings}
    assert told["training_run.found.plateau"].verdict == "warn"
    curves = told["training_run.found.plateau"].details["curves"]
    assert [(curve.name, curve.axis) for curve in curves] == [("reward", "step"), ("kl", "step")]
    assert again.inputs[0].role == "log"


@needs_real_data
@pytest.mark.parametrize(
    ("name", "framework", "task", "metrics"),
    [
        ("dpo_collapsed_margin_trainer_state.json", "trl", "dpo", {"margin", "implicit_rejected", "chosen_logp"}),
        ("trl_kto_anthropic_hh_trainer_state.json", "trl", "kto", {"margin", "kl_answer", "loss"}),
        ("grpo_sentiment_hacking_metrics.csv", "unknown", "unknown", {"reward", "kl", "length", "eval/perplexity"}),
        ("dpo_ppo_label_noise/dpo_70m_training_logs_80_20.csv", "trl", "dpo", {"accuracy", "eval/accuracy"}),
        ("dpo_ppo_label_noise/ppo_70m_training_logs_80_20.csv", "trl", "ppo", {"kl_answer", "reward", "entropy"}),
    ],
)
def test_real_logs(name: str, framework: str, task: str, metrics: set[str]) -> None:
    log, _ = read_log(str(REAL / name))
    assert (log.framework, log.task) == (framework, task)
    assert metrics <= set(log.frame["metric"])
