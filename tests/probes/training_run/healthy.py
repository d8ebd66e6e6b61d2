"""Logs of healthy runs of every task, with the noise such logs have: batches, autocorrelation, sparse evaluations."""

import numpy as np
import polars as pl

from dehusk.core.tables import TrainLog
from dehusk.io.logs.vocabulary import named

TASKS = ("reward_model", "dpo", "kto", "ppo", "grpo", "sft")
FRAMEWORKS = {"reward_model": "trl", "dpo": "trl", "kto": "trl", "ppo": "openrlhf", "grpo": "verl", "sft": "ms-swift"}


def make_log(columns, *, task="unknown", framework="trl", epochs=None):
    """A log from `{key: {step: value}}` or `{key: (steps, values)}`; `epochs` maps a step to its epoch."""
    rows = []
    for key, points in columns.items():
        pairs = points.items() if isinstance(points, dict) else zip(*points, strict=True)
        rows += [(int(step), key, float(value)) for step, value in pairs]
    names = named(dict.fromkeys(row[1] for row in rows), task, {})
    frame = pl.DataFrame(rows, schema={"step": pl.Int64, "key": pl.String, "value": pl.Float64}, orient="row")
    epoch = pl.lit(None, pl.Float64) if epochs is None else (pl.col("step") * epochs).cast(pl.Float64)
    metric = pl.col("key").replace_strict(names, return_dtype=pl.String)
    frame = frame.with_columns(metric=metric, epoch=epoch).select("step", "metric", "value", "key", "epoch")
    return TrainLog(frame.sort("step", maintain_order=True), framework=framework, task=task)


class Shape:
    """Steps of a run and curves over them."""

    def __init__(self, rng, logs=None):
        self.rng = rng
        self.logs = int(rng.integers(30, 200)) if logs is None else logs
        self.every = int(rng.choice([1, 5, 10]))
        self.steps = np.arange(1, self.logs + 1) * self.every
        self.time = self.steps / self.steps[-1]
        self.phi = rng.uniform(0, 0.7)  # autocorrelation of the noise
        held_out = max(1, self.logs // int(rng.integers(5, 15)))
        self.seen = slice(held_out - 1, None, held_out)  # logs that come with an evaluation

    def noise(self, size):
        """AR(1) noise of standard deviation `size`, one value a log."""
        fresh = self.rng.normal(size=self.logs) * np.sqrt(1 - self.phi**2)
        out = np.empty(self.logs)
        last = self.rng.normal()
        for place in range(self.logs):
            last = self.phi * last + fresh[place]
            out[place] = last
        return size * out

    def rise(self, start, end, rate=4.0):
        """From start to end, fast at first."""
        return start + (end - start) * (1 - np.exp(-rate * self.time)) / (1 - np.exp(-rate))

    def share(self, chance, n):
        """Shares of n draws."""
        return self.rng.binomial(n, np.clip(chance, 0, 1)) / n

    def held_out(self, values):
        """(steps, values) of the logs with an evaluation."""
        return self.steps[self.seen], values[self.seen]


def healthy(task, rng, logs=None):
    """A healthy run of a task."""
    shape = Shape(rng, logs)
    columns = {"pairs": _pairs, "rl": _rl, "sft": _sft}[
        "pairs" if task in ("reward_model", "dpo", "kto") else "sft" if task == "sft" else "rl"
    ](shape, task)
    columns = {key: value if isinstance(value, tuple) else (shape.steps, value) for key, value in columns.items()}
    epochs = rng.uniform(0.8, 1.0) / shape.steps[-1] if task in ("reward_model", "dpo", "kto", "sft") else None
    return make_log(columns, task=task, framework=FRAMEWORKS[task], epochs=epochs)


def _pairs(shape, task):
    rng = shape.rng
    good = shape.rise(0.5, rng.uniform(0.62, 0.8))
    accuracy = shape.share(good, int(rng.integers(64, 320)))
    margin = shape.rise(0, rng.uniform(0.3, 1.5)) + shape.noise(0.08)
    loss = shape.rise(0.693, rng.uniform(0.5, 0.62)) + shape.noise(0.02)
    held = {
        "eval_loss": shape.held_out(shape.rise(0.69, rng.uniform(0.54, 0.65)) + shape.noise(0.005)),
        "eval_accuracy" if task == "reward_model" else "eval_rewards/accuracies": shape.held_out(
            shape.share(good - 0.02, int(rng.integers(100, 1000)))
        ),
    }
    if task == "reward_model":
        level = rng.normal(0, 2) + shape.noise(0.15)
        return {"loss": loss, "accuracy": accuracy, "margin": margin, "mean_reward": level, **held}
    fall = shape.rise(0, -rng.uniform(0, 0.8))
    columns = {
        "loss": loss if task == "dpo" else shape.rise(0.5, 0.43) + shape.noise(0.01),
        "rewards/chosen": fall + shape.noise(0.05),
        "rewards/rejected": fall - margin + shape.noise(0.05),
        "rewards/margins": margin,
        "logps/chosen": -250 + fall / 0.1 + shape.noise(8),
        "logps/rejected": -260 + (fall - margin) / 0.1 + shape.noise(8),
        "learning_rate": 1e-6 * np.minimum(1, shape.time / 0.1),
    }
    if task == "kto":
        return columns | {"kl": np.abs(shape.noise(0.1)), "eval_loss": held["eval_loss"]}
    return columns | {"rewards/accuracies": accuracy, **held}


def _rl(shape, task):
    rng = shape.rng
    start, gain = rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.4)
    reward = shape.rise(start, start + gain, rng.uniform(1, 8)) + shape.noise(0.03)
    kl = rng.uniform(0.005, 0.08) * shape.time ** rng.uniform(0.4, 0.8) * np.exp(shape.noise(0.25))
    length = rng.uniform(150, 400) * shape.rise(1, rng.uniform(0.85, 1.25), 1.0) * np.exp(shape.noise(0.04))
    entropy = rng.uniform(0.3, 1.0) * shape.rise(1, rng.uniform(0.45, 1.1), 2.0) * np.exp(shape.noise(0.05))
    cut = shape.share(np.full(shape.logs, rng.uniform(0, 0.12)), 128)
    if task == "ppo":
        held = {"eval_gsm8k_pass1": shape.held_out(shape.share(reward - 0.03, 500))}
        return {
            "rollout/reward_mean": reward, "rollout/reward_std": 0.4 + shape.noise(0.02), "kl": kl,
            "rollout/response_length_mean": length, "rollout/truncated_rate": cut, "entropy_loss": entropy,
            "policy_loss": shape.noise(0.02), "critic_loss": 0.1 + np.abs(shape.noise(0.02)), **held,
        }  # fmt: skip
    form = shape.rise(rng.uniform(0.3, 0.7), rng.uniform(0.9, 1.0), 6.0)
    return {
        "reward": reward + form, "kl": kl, "loss": shape.noise(0.003), "entropy": entropy,
        "completions/mean_length": length, "completions/min_length": length / 4, "completions/max_length": length * 2,
        "completions/clipped_ratio": cut, "reward_std": 0.4 + shape.noise(0.02),
        "frac_reward_zero_std": shape.share(np.full(shape.logs, rng.uniform(0, 0.35)), 16),
        "rewards/format/mean": shape.share(form, 256), "rewards/accuracy/mean": shape.share(reward, 256),
        "eval_reward": shape.held_out(reward + form - 0.03 + shape.noise(0.01)),
    }  # fmt: skip


def _sft(shape, _):
    rng = shape.rng
    loss = shape.rise(rng.uniform(1.2, 2.0), rng.uniform(0.8, 1.1)) + shape.noise(0.05)
    return {
        "loss": loss,
        "token_acc": shape.rise(0.6, 0.7) + shape.noise(0.01),
        "grad_norm": np.exp(shape.noise(0.4)),
        "eval_loss": shape.held_out(loss + 0.02),
    }
