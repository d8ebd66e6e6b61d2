"""`reward_model.plumbing`: is the model read where its score is, under the text it was trained on?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import RewardModel, TextScorer, probes
from dehusk.core.messages import say
from dehusk.core.tables import Floats, Ints, Pairs
from dehusk.stats.effects import clustered_mean

LEAST, MOST = 10, 32  # prompts; each is scored a dozen times
SAME = 0.02  # RM-BATCH: SD of the scores within which two readings of one text count as equal; bf16 needs 0.05
END_SHIFT = 0.5  # RM-EOS: SD
FLIPPED = 0.05  # RM-TEMPL: share of pairs whose order changes
CUT_WARN, CUT_FAIL = 0.005, 0.02  # DATA-TRUNC: pairs that are the same to the model after it cut them


class _Sample(NamedTuple):
    """Pairs to try, one a prompt, and what their scores are measured in."""

    prompts: list[str]
    responses: list[str]  # chosen answers
    rejected: list[str]
    scores: Floats  # of the chosen answers, all in one call, shape (n,)
    spread: float  # SD of the scores of both answers


@probes.add("reward_model.plumbing")
def plumbing(pairs: Pairs, reward_model: RewardModel, rng: np.random.Generator) -> Iterator[Finding]:
    """Faults of loading and calling a reward model that accuracy does not show: batches, padding, ends, truncation.

    Every model is asked whether a text scores the same twice and whatever it is scored with. One whose tokens can be
    seen is also asked whether its score depends on the last words of the answer, whether padding is told from the end
    of the text, whether special tokens are missing or doubled, how many pairs it cuts until they are the same, and
    whether a second load agrees (a head that was never saved is random).

    Raises:
        NotEnoughData: with fewer than 10 prompts, or if all texts score alike.
    """
    model = getattr(reward_model, "model", reward_model)  # not what is stored: what is computed now
    sample = _sample(pairs, model, rng)
    yield _repeated(model, sample)
    yield _alone(model, sample)
    if isinstance(model, TextScorer):
        yield _last_words(model, sample, rng)
        yield _second_load(model, sample)
        yield from _special_tokens(model, sample)
        yield _template(model, sample)
        yield _truncation(model, pairs, rng)


def _sample(pairs: Pairs, model: RewardModel, rng: np.random.Generator) -> _Sample:
    order = rng.permutation(len(pairs))
    rows = rng.permutation(order[np.unique(pairs.groups[order], return_index=True)[1]])[:MOST]
    if rows.size < LEAST:
        raise NotEnoughData(f"at least {LEAST} prompts, got {rows.size}")
    prompts, chosen, rejected = (pairs.frame[side].gather(rows).to_list() for side in ("prompt", "chosen", "rejected"))
    scores = model.score(prompts * 2, chosen + rejected)
    spread = float(np.std(scores))
    if not spread > 0:
        raise NotEnoughData("scores that differ")
    return _Sample(prompts, chosen, rejected, scores[: rows.size], spread)


def _finding(check: str, verdict: Verdict, estimate: Estimate | None, model: str, **values: Any) -> Finding:
    fine = verdict == "pass"
    return Finding(
        probe="reward_model.plumbing",
        stage="reward_model",
        estimate=estimate,
        verdict=verdict,
        sentence=say(f"reward_model.plumbing_{check}_{'fine' if fine else 'fault'}", model=model, **values),
        remedy=None if fine else say(f"reward_model.remedy_plumbing_{check}"),
        details={"check": check, "model": model},
    )


def _moved(change: Floats, spread: float) -> Estimate:
    """Mean change of the score of one text, in SD of the scores."""
    value, low, high, p, n = clustered_mean(change / spread, np.arange(len(change)))
    return Estimate(value, low, high, n, "SD", "mean over prompts", p)


def _difference(check: str, model: RewardModel, sample: _Sample, again: Floats) -> Finding:
    worst = float(np.abs(again - sample.scores).max()) / sample.spread
    verdict: Verdict = "fail" if worst > 2.5 * SAME else "warn" if worst > SAME else "pass"
    return _finding(check, verdict, _moved(again - sample.scores, sample.spread), model.name, worst=worst)


def _repeated(model: RewardModel, sample: _Sample) -> Finding:
    again = model.score(sample.prompts + sample.prompts, sample.responses + sample.rejected)[: len(sample.prompts)]
    return _difference("repeat", model, sample, again)


def _alone(model: RewardModel, sample: _Sample) -> Finding:
    """Each text on its own against each text among longer ones, which pads it."""
    each = zip(sample.prompts, sample.responses, strict=True)
    alone = np.concatenate([model.score([prompt], [response]) for prompt, response in each])
    return _difference("batch", model, sample, alone)


def _last_words(model: TextScorer, sample: _Sample, rng: np.random.Generator) -> Finding:
    """The score must depend on how the answer ends; one read at the wrong token does not."""
    other = rng.permutation(len(sample.responses))
    ends = [sample.responses[at].split()[-1:] or ["."] for at in other]
    changed = [f"{text} {end[0]}" for text, end in zip(sample.responses, ends, strict=True)]
    change = model.score_texts(model.render(sample.prompts, changed)) - model.score_texts(
        model.render(sample.prompts, sample.responses)
    )
    deaf = float(np.mean(np.abs(change) / sample.spread < 1e-6))
    verdict: Verdict = "fail" if deaf > 0.5 else "warn" if deaf > 0 else "pass"
    return _finding("ending", verdict, _moved(change, sample.spread), model.name, deaf=deaf)


def _second_load(model: TextScorer, sample: _Sample) -> Finding:
    texts = model.render(sample.prompts, sample.responses)
    change = model.again().score_texts(texts) - model.score_texts(texts)
    worst = float(np.abs(change).max()) / sample.spread
    return _finding(
        "load", "fail" if worst > 2.5 * SAME else "pass", _moved(change, sample.spread), model.name, worst=worst
    )


def _special_tokens(model: TextScorer, sample: _Sample) -> Iterator[Finding]:
    """Start, end and padding: doubled, missing, or mistaken for each other."""
    texts = model.render(sample.prompts, sample.responses)
    tokens = [model.token_ids(text) for text in texts]
    start, end, pad = (model.special_ids.get(name) for name in ("bos", "eos", "pad"))
    if start is not None:
        doubled = float(np.mean([row[:2] == [start, start] for row in tokens]))
        yield _finding("start", "fail" if doubled else "pass", None, model.name, doubled=doubled)
    if end is not None:
        yield _finding("padding", "warn" if pad == end else "pass", None, model.name)
    if end is not None and model.special_texts.get("eos"):
        yield _ending_token(model, sample, texts, [row[-1:] == [end] for row in tokens])


def _ending_token(model: TextScorer, sample: _Sample, texts: Sequence[str], ended: Sequence[bool]) -> Finding:
    """How much the end-of-text token is worth: a caller that forgets it, or adds a second one, shifts every score."""
    mark = model.special_texts["eos"] or ""
    other = [text.removesuffix(mark) if has else text + mark for text, has in zip(texts, ended, strict=True)]
    change = model.score_texts(other) - model.score_texts(texts)
    moved = _moved(change, sample.spread)
    verdict: Verdict = "inform" if abs(moved.value) > END_SHIFT and moved.direction else "pass"
    way = say(f"reward_model.plumbing_{'without' if ended[0] else 'with'}_end")
    return _finding("end", verdict, moved, model.name, way=way, value=moved.value, low=moved.low, high=moved.high)


def _template(model: TextScorer, sample: _Sample) -> Finding:
    """Pairs that change their order when a caller posts prompt and answer as they are, without the template."""

    def plain(answers: list[str]) -> list[str]:
        return [f"{prompt}\n\n{answer}" for prompt, answer in zip(sample.prompts, answers, strict=True)]

    def rendered(answers: list[str]) -> list[str]:
        return model.render(sample.prompts, answers)

    both = [
        np.sign(model.score_texts(form(sample.responses)) - model.score_texts(form(sample.rejected)))
        for form in (rendered, plain)
    ]
    value, low, high, p, n = clustered_mean((both[0] != both[1]).astype(np.float64), np.arange(len(sample.prompts)))
    share = Estimate(value, low, high, n, "share", "mean over prompts", p)
    verdict: Verdict = "inform" if low > 0 and value > FLIPPED else "pass"
    return _finding("template", verdict, share, model.name, flipped=value)


def _truncation(model: TextScorer, pairs: Pairs, rng: np.random.Generator, most: int = 1000) -> Finding:
    """Pairs whose answers are the same tokens once the model has cut them, and texts it cuts at all."""
    rows: Ints = rng.permutation(len(pairs))[:most]
    prompts, *sides = (pairs.frame[side].gather(rows).to_list() for side in ("prompt", "chosen", "rejected"))
    tokens = [[model.token_ids(text) for text in model.render(prompts, side)] for side in sides]
    limit = model.max_length or max(len(row) for side in tokens for row in side)
    cut = (
        np.array([[len(row) >= limit for row in side] for side in tokens]).mean(axis=1) if model.max_length else (0, 0)
    )
    same = np.array([first == second for first, second in zip(*tokens, strict=True)], dtype=np.float64)
    value, low, high, p, n = clustered_mean(same, pairs.groups[rows])
    verdict: Verdict = "fail" if value > CUT_FAIL else "warn" if value > CUT_WARN else "pass"
    share = Estimate(value, low, high, n, "share", "mean over pairs, clustered by prompt", p)
    return _finding(
        "truncation",
        verdict,
        share,
        model.name,
        same=value,
        limit=limit,
        chosen=float(cut[0]),
        rejected=float(cut[1]),
    )
