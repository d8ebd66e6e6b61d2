"""One name for one thing: what every trainer calls the numbers of its log, in dehusk's words.

A held-out number has the same name after `eval/`. Where a key means different things, the task decides:
`rewards/chosen` is an implicit reward in DPO and a score in ms-swift's reward model; `clip_ratio` is PPO's clipping in
TRL and `response_length/clip_ratio` truncation in verl; `kl` is per token in RL and per answer in KTO. Unknown keys
keep their own name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

EVAL = "eval/"
PART = "reward/"  # one reward function among several

Names = Mapping[str, tuple[str, ...]]

# metric -> keys, the best first: where a log has two of them the second keeps its own name
COMMON: Names = MappingProxyType(
    {
        "loss": ("loss", "actor/pg_loss", "policy_loss", "loss/policy_avg", "ppo/loss/total", "train_loss"),
        "grad_norm": ("grad_norm", "actor/grad_norm"),
        "learning_rate": ("learning_rate", "lr", "actor/lr", "actor_lr"),
        "accuracy": ("rewards/accuracies", "accuracy", "acc", "acc_mean"),
        "margin": ("rewards/margins", "margin", "margins"),
        "chosen_logp": ("logps/chosen",),
        "rejected_logp": ("logps/rejected",),
        "token_accuracy": ("mean_token_accuracy", "token_acc"),
        "entropy": ("entropy", "entropy/mean", "actor/entropy", "policy/entropy_avg", "objective/entropy",
                    "entropy_loss"),
        "kl": ("kl", "actor/kl_loss", "actor/reward_kl_penalty", "mean_kl", "kl_divergence"),
        "kl_answer": ("objective/kl",),
        "step_kl": ("actor/ppo_kl", "ppo_kl", "policy/approxkl_avg"),
        "ratio_clipped": ("clip_ratio/region_mean", "clip_ratio", "actor/pg_clipfrac", "ppo_clip_ratio",
                          "policy/clipfrac_avg"),
        "length": ("completions/mean_length", "completion_length", "response_length/mean",
                   "rollout/response_length_mean", "response_length", "response_length_mean", "completion_tokens",
                   "mean_length"),
        "length_min": ("completions/min_length", "response_length/min"),
        "length_max": ("completions/max_length", "response_length/max"),
        "truncated": ("completions/clipped_ratio", "response_length/clip_ratio", "rollout/truncated_rate",
                      "truncated_rate"),
        "same_group": ("frac_reward_zero_std",),
        "perplexity": ("perplexity", "ppl"),
        "gold": ("gold", "gold_reward", "gold_score", "true_reward"),
    }
)  # fmt: skip
_REWARDED: Names = MappingProxyType(
    {
        "reward": ("reward", "critic/score/mean", "rollout/reward_mean", "objective/scores", "env/reward_mean",
                   "mean_reward", "reward_mean", "critic/rewards/mean"),
        "reward_std": ("reward_std", "rollout/reward_std", "env/reward_std"),
    }
)  # fmt: skip
_IMPLICIT: Names = MappingProxyType(
    {
        "implicit_chosen": ("rewards/chosen", "chosen_reward"),
        "implicit_rejected": ("rewards/rejected", "reject_reward"),
    }
)
_SCORED: Names = MappingProxyType(
    {
        "chosen_score": ("rewards/chosen", "chosen_reward"),
        "rejected_score": ("rewards/rejected", "reject_reward"),
        "score": ("mean_reward", "reward_mean"),
        "score_min": ("min_reward",),
        "score_max": ("max_reward",),
        "score_std": ("reward_std",),
    }
)
_KTO: Names = MappingProxyType({"kl": (), "kl_answer": ("kl", "objective/kl")})

BY_TASK: Mapping[str, Names] = MappingProxyType(
    {
        "reward_model": {**COMMON, **_SCORED},
        "dpo": {**COMMON, **_IMPLICIT},
        "kto": {**COMMON, **_IMPLICIT, **_KTO},
        "ppo": {**COMMON, **_REWARDED},
        "grpo": {**COMMON, **_REWARDED},
        "sft": COMMON,
        "unknown": {**COMMON, **_REWARDED},
    }
)
METRICS = frozenset(name for names in BY_TASK.values() for name in names)

_SPLIT = re.compile(r"^(?P<eval>eval|val|valid|validation|test)[/_]|^train[/_]|^training/")
_SOURCE = re.compile(r"^val-core/(?P<source>.+)/[^/]+/mean@\d+$|^eval_(?P<name>.+)_pass1$")
_PART = re.compile(r"^rewards/(?P<name>.*?)(?P<mean>/mean)?$")
_CHART = re.compile(r"^.+ - (?P<key>\S+)$")  # wandb's export of a chart: "run name - train/loss"
_ASIDE = " (as in the file)"  # a key that is spelt like our name for another one
_NOT_PARTS = ("chosen", "rejected", "accuracies", "margins")


def split_off(key: str) -> tuple[bool, str]:
    """Whether a key is of held-out data, and the rest of it.

    >>> split_off("eval_rewards/margins"), split_off("train/loss"), split_off("loss")
    ((True, 'rewards/margins'), (False, 'loss'), (False, 'loss'))
    """
    chart = _CHART.match(key)
    key = chart["key"] if chart else key
    found = _SPLIT.match(key)
    return bool(found and found["eval"]), key[found.end() :] if found else key


def named(keys: Iterable[str], task: str, given: Mapping[str, str]) -> dict[str, str]:
    """Our name for each key of a log; a key that is not known, or is a second word for the same, is its own name.

    Args:
        keys: Keys as the trainer wrote them.
        task: Decides what an ambiguous key means.
        given: Names that the user chose: metric -> key.
    """
    known = {name: (metric, rank) for metric, names in BY_TASK[task].items() for rank, name in enumerate(names)}
    chosen: dict[str, tuple[int, str]] = {metric: (-1, key) for metric, key in given.items()}
    names = dict.fromkeys(keys, "")
    for key in names:
        part = _part(key, task)
        if part is not None:
            names[key] = part
            continue
        held_out, rest = split_off(key)
        if rest not in known:
            continue
        metric, rank = EVAL * held_out + known[rest][0], known[rest][1]
        if key == f"train_{rest}":  # the Trainer's last line has the mean of a run, beside the numbers of its steps
            rank += len(METRICS)
        if metric not in chosen or rank < chosen[metric][0]:
            chosen[metric] = (rank, key)
    ours = {key: metric for metric, (_, key) in chosen.items()}
    return {key: ours.get(key) or part or key + _ASIDE * (key in chosen) for key, part in names.items()}


def _part(key: str, task: str) -> str | None:
    """Our name of one reward function's mean, or of one source of a held-out score; None for another key.

    Early TRL has `rewards/<name>`, later `rewards/<name>/mean`; a model in memory has no name: `rewards//mean`.
    """
    source = _SOURCE.match(key)
    if source:
        return f"{EVAL}score/{source['source'] or source['name']}"
    held_out, rest = split_off(key)
    part = _PART.match(rest)
    if part is None or task not in ("grpo", "ppo", "unknown"):
        return None
    name = part["name"].rstrip("/")
    if not part["mean"] and (task != "grpo" or "/" in name or name in _NOT_PARTS):
        return None
    return f"{EVAL * held_out}{PART}{name or 'unnamed'}"
