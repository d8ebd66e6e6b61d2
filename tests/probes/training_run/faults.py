"""Runs with one fault each, planted in otherwise healthy curves of 1,000 steps."""

import numpy as np
from healthy import Shape

EPOCHS = {"epoch_steps": 3.0, "unwatched": 4.0}  # of a whole run; 1 for all others


def faults(seed=0):
    """(name of the finding, columns, task, verdict) of each fault."""
    return [*faults_of_pairs(seed), *faults_of_rl(seed)]


def shape(logs=100, seed=0):
    made = Shape(np.random.default_rng(seed), logs)
    made.every, made.phi = 10, 0.3
    made.steps = np.arange(1, logs + 1) * 10
    return made


def dpo(run, **changed):
    """Columns of a plain DPO run, some of them changed."""
    margin = run.rise(0, 1.0) + run.noise(0.05)
    columns = {
        "loss": run.rise(0.69, 0.55) + run.noise(0.01),
        "rewards/accuracies": run.share(run.rise(0.5, 0.7), 128),
        "rewards/margins": margin,
        "rewards/chosen": run.noise(0.05) - 0.2,
        "rewards/rejected": -0.2 - margin,
        "logps/chosen": -250 + run.noise(5),
        "logps/rejected": -260 - 10 * margin + run.noise(5),
        **changed,
    }
    return {key: value if isinstance(value, tuple | dict) else (run.steps, value) for key, value in columns.items()}


def rl(run, **changed):
    """Columns of a plain GRPO run, some of them changed."""
    columns = {
        "reward": run.rise(0.4, 0.6) + run.noise(0.02),
        "kl": 0.03 * run.time + np.abs(run.noise(0.003)),
        "entropy": 0.5 + run.noise(0.02),
        "completions/mean_length": 200 + run.noise(8),
        "completions/clipped_ratio": run.share(np.full(run.logs, 0.05), 128),
        "frac_reward_zero_std": run.share(np.full(run.logs, 0.2), 16),
        **changed,
    }
    return {key: value if isinstance(value, tuple | dict) else (run.steps, value) for key, value in columns.items()}


def faults_of_pairs(seed):
    """(name of the finding, columns, task, verdict) of each fault of training on pairs."""
    run = shape(seed=seed)
    late = run.time > 0.5
    ones = np.ones(run.logs)
    fast = np.minimum(1.0, 0.5 + run.time * 8)
    half = 0.5 + run.noise(0.02)
    tenth = run.steps[9::10]
    yield "saturated_early", dpo(run, **{"rewards/accuracies": fast, "rewards/margins": 15 * run.time}), "dpo", "warn"
    swift = {"loss": (run.steps, np.maximum(0.02, 0.69 - run.time * 6)), "margin": (run.steps, 9 * run.time)}
    yield "saturated_early", swift, "reward_model", "warn"
    yield "non_finite", dpo(run, grad_norm=np.where(late, np.nan, 1.0)), "dpo", "fail"
    yield "zero", dpo(run, loss=np.zeros(run.logs), **{"rewards/accuracies": half}), "dpo", "fail"
    yield "ln2", dpo(run, loss=0.69 + run.noise(0.01), **{"rewards/accuracies": half}), "dpo", "warn"
    tied = {
        "loss": (run.steps, np.full(run.logs, 0.6931)),
        "accuracy": (run.steps, 0 * ones),
        "margin": (run.steps, 0 * ones),
    }
    yield "ln2_ties", tied, "reward_model", "warn"
    yield "few_values", dpo(run, **{"rewards/accuracies": run.share(0.65 * ones, 2)}), "dpo", "warn"
    stairs = 0.69 - 0.15 * np.floor(run.time * 2.99) + run.noise(0.01)
    yield "epoch_steps", dpo(run, loss=stairs, **{"eval_rewards/accuracies": (tenth, 0.65 + 0 * tenth)}), "dpo", "warn"
    yield "unwatched", dpo(run), "dpo", "warn"
    yield "displaced", dpo(run, **{"logps/chosen": -250 - 60 * run.time + run.noise(5)}), "dpo", "warn"
    exploded = {"rewards/margins": 60 * run.time, "rewards/rejected": -60 * run.time}
    yield "exploded_sides", dpo(run, **exploded), "dpo", "warn"
    yield "too_fast", dpo(run, **{"rewards/margins": np.minimum(8.0, 900 * run.time)}), "dpo", "warn"
    yield "rate", dpo(run, learning_rate=5e-4 * ones), "dpo", "warn"
    wandering = {"accuracy": (run.steps, run.share(0.65 * ones, 128)), "margin": (run.steps, 0.8 + run.noise(0.05)),
                 "mean_reward": (run.steps, 12 * run.time + run.noise(0.3))}  # fmt: skip
    yield "drifted", wandering, "reward_model", "warn"
    memorised = {"rewards/accuracies": run.share(run.rise(0.5, 0.9), 128)}
    yield "gap", dpo(run, **memorised, **{"eval_rewards/accuracies": (tenth, 0.7 + 0 * tenth)}), "dpo", "warn"
    yield "gap_guessing", dpo(run, **memorised, **{"eval_rewards/accuracies": (tenth, 0.5 + 0 * tenth)}), "dpo", "warn"
    hill = 0.7 - 0.15 * np.abs(run.time - 0.4) / 0.6 + run.noise(0.005)
    yield "peak", dpo(run, **{"eval_rewards/accuracies": (run.steps[4::5], hill[4::5])}), "dpo", "warn"


def faults_of_rl(seed):
    """The same of RL runs."""
    run = shape(seed=seed)
    ones, tenth = np.ones(run.logs), run.steps[9::10]
    yield "non_finite", rl(run, loss=np.where(run.time == 1, np.inf, 0.1)), "grpo", "fail"
    yield "kl_far", rl(run, kl=0.9 * run.time), "grpo", "warn"
    spiky = 0.05 + np.where(np.arange(run.logs) % 33 == 20, 2.0, 0)
    yield "kl_spikes", rl(run, kl=spiky), "grpo", "warn"
    plateau = {"reward": 0.4 + 0.5 * np.minimum(1, run.time * 5) + run.noise(0.01), "kl": 0.4 * run.time}
    yield "plateau", rl(run, **plateau), "grpo", "warn"
    yield "in_vain", rl(run, reward=0.4 + run.noise(0.02), kl=0.4 * run.time), "grpo", "warn"
    yield "entropy_low", rl(run, entropy=0.5 * np.exp(-4 * run.time)), "grpo", "warn"
    yield "entropy_high", rl(run, entropy=0.5 + 1.5 * run.time + run.noise(0.02)), "grpo", "warn"
    yield "perplexity", rl(run, eval_perplexity=(tenth, 4 + 12 * tenth / tenth[-1])), "grpo", "warn"
    yield "longer", rl(run, **{"completions/mean_length": 200 * (1 + run.time) + run.noise(8)}), "grpo", "warn"
    yield "shorter", rl(run, **{"completions/mean_length": 200 * (1 - 0.6 * run.time) + run.noise(8)}), "grpo", "warn"
    yield "all_cut", rl(run, **{"completions/clipped_ratio": ones}), "grpo", "warn"
    yield "cut", rl(run, **{"completions/clipped_ratio": 0.5 * run.time}), "grpo", "warn"
    falling = {"completions/clipped_ratio": 0.25 + run.noise(0.01), "completions/mean_length": 300 - 60 * run.time}
    yield "cut_and_falling", rl(run, **falling), "grpo", "warn"
    capped = {"completions/min_length": 256 * ones, "completions/max_length": 256 * ones}
    yield "one_length", rl(run, **capped), "grpo", "warn"
    yield "groups_all", rl(run, frac_reward_zero_std=ones), "grpo", "fail"
    yield "groups_all", {"reward": (run.steps, 0 * ones), "reward_std": (run.steps, 0 * ones)}, "grpo", "fail"
    yield "groups", rl(run, frac_reward_zero_std=0.2 + 0.7 * run.time), "grpo", "warn"
    parts = {
        "rewards/format": run.rise(0.48, 1.0, 8.0),
        "rewards/accuracy": run.rise(0.16, 0.0, 3.0) + run.noise(0.005),
    }
    yield "split", rl(run, **parts), "grpo", "warn"
    down = (run.steps[4::5], 0.63 - 0.05 * run.time[4::5] + run.noise(0.005)[4::5])
    yield "held_out_falls", rl(run, eval_reward=down), "grpo", "warn"
    yield "gold", rl(run, gold=down), "grpo", "warn"
