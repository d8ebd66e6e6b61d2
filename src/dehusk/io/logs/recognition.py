"""Which trainer wrote a log, and what it trained, from the names of its keys."""

from __future__ import annotations

from collections.abc import Iterable

from dehusk.io.logs.vocabulary import split_off

_OPENRLHF = {"chosen_reward", "reject_reward", "ppo_clip_ratio", "rollout/reward_mean", "dynamic_filtering_pass_rate"}
_SWIFT = {"global_step/max_steps", "token_acc", "memory(GiB)", "train_speed(iter/s)", "train_speed(s/it)"}
_TRL = {"num_tokens", "frac_reward_zero_std", "completion_length", "mean_token_accuracy", "min_reward"}
_TRL_FOLDERS = ("logps/", "rewards/", "completions/", "objective/", "ppo/", "clip_ratio/")
_PREFERRED = {"rewards/accuracies", "rewards/margins", "rewards/chosen"}


def rests(keys: Iterable[str]) -> frozenset[str]:
    """Keys without their `train/` or `eval_`."""
    return frozenset(split_off(key)[1] for key in keys)


def framework_of(keys: Iterable[str]) -> str:
    """The trainer that uses such names, "unknown" if none or several do."""
    names = {*keys, *rests(keys)}
    if any(name.startswith(("actor/", "critic/")) for name in names):
        return "verl"
    if names & _OPENRLHF:
        return "openrlhf"
    if names & _SWIFT:
        return "ms-swift"
    if "current_steps" in names:
        return "llama-factory"
    if names & _TRL or any(name.startswith(_TRL_FOLDERS) for name in names):
        return "trl"
    return "unknown"


def task_of(keys: Iterable[str], framework: str) -> str:
    """What was trained: "reward_model", "dpo", "kto", "ppo", "grpo", "sft" or "unknown"."""
    names = rests(keys)
    return _reinforced(names, framework) or _preferred(names, framework) or ("sft" if _supervised(names) else "unknown")


def _reinforced(names: frozenset[str], framework: str) -> str | None:
    if any(name.startswith(("objective/", "ppo/")) for name in names):
        return "ppo"
    if framework == "verl" or any(name.startswith("rollout/") for name in names):
        valued = {"critic/vf_loss", "critic/values/mean", "critic_loss"}
        return "ppo" if names & valued else "grpo"
    grouped = {"frac_reward_zero_std", "completion_length"} & names
    if grouped or any(name.startswith("completions/") for name in names) or {"reward", "reward_std"} <= names:
        return "grpo"
    return "ppo" if framework == "llama-factory" and "reward" in names else None


def _preferred(names: frozenset[str], framework: str) -> str | None:
    if names & _PREFERRED:
        if not any(name.startswith("logps/") for name in names):
            return "reward_model"
        return "kto" if "kl" in names and "rewards/accuracies" not in names else "dpo"
    if "chosen_reward" in names:  # OpenRLHF names its two kinds of run alike, but for these
        return "dpo" if "nll_loss" in names else "reward_model"
    if framework == "llama-factory" and "current_steps" in names and "accuracy" in names:
        return "dpo"  # `trainer_log.jsonl` has it for DPO only
    if {"margin", "mean_reward"} & names:
        return "reward_model" if "accuracy" in names else None
    other = {"mean_token_accuracy", "token_acc", "reward", "kl"}  # of SFT, and of RL with an accuracy beside the reward
    return "reward_model" if "accuracy" in names and not other & names else None


def _supervised(names: frozenset[str]) -> bool:
    return bool({"mean_token_accuracy", "token_acc"} & names)
