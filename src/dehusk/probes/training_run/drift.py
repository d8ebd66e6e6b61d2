"""`training_run.drift`: how far an RL run has moved from where it started: KL, entropy, perplexity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Finding
from dehusk.core.kinds import probes
from dehusk.core.tables import TrainLog
from dehusk.probes.training_run.checking import look, told
from dehusk.probes.training_run.curves import EVAL, Run, Series, apart, curve, level, ratio
from dehusk.probes.training_run.saturation import place
from dehusk.stats.trends import running_median, trend

PROBE = "training_run.drift"
FAR = 0.5  # nats a token (TRAIN-KL)
SPIKE, NEIGHBOURS, FLOOR, SPIKES = 5.0, 11, 0.02, 2  # times the running median of 11 logs; nats a token; logs
TOKENS = 200  # of an answer whose length is not logged
LITTLE, DOUBLED = 0.1, 2.0  # nats a token; times the KL at the start
WIDE, NARROW = 2.0, 0.2  # entropy, times the start (TRAIN-ENT)
STRANGE = 2.0  # perplexity, times the start
MOST_GAINED, PLATEAU, CLIMBED = 0.95, 0.5, 1.5  # share of the gain; of the run; times the KL at the plateau


@probes.add(PROBE)
def drift(log: TrainLog, rng: np.random.Generator) -> Iterator[Finding]:
    """Whether an RL run left its start behind: KL, entropy and perplexity, and what the reward bought meanwhile.

    Args:
        log: The training log.
        rng: For intervals.

    Raises:
        NotEnoughData: the log has no KL, entropy or perplexity of an RL run.
    """
    checks = {
        "kl": _far,
        "spikes": _spikes,
        "plateau": _bought_nothing,
        "in_vain": _in_vain,
        "entropy": _entropy,
        "perplexity": _strange,
    }
    yield from look(PROBE, Run(log), rng, checks, "a log of an RL run with KL or entropy")


def _per_token(run: Run) -> Series:
    """KL in nats a token: as logged, or an answer's KL over its length."""
    series = run.find("kl", least=4)
    if series is not None:
        return series
    whole, length = run.of("kl_answer", least=4), run.of("length", least=4)
    if run.preferring:
        raise NotEnoughData("KL of an RL run")
    steps, left, right = np.intersect1d(whole.step, length.step, return_indices=True)
    return Series("kl", steps, whole.value[left] / np.maximum(length.value[right], 1))


def _far(run: Run, _: np.random.Generator) -> Finding | None:
    series = _per_token(run)
    end = run.closing(series)
    if end.mean <= FAR:
        return None
    number = level(end, "KL a token")
    values = {"kl": end.mean, "start": run.opening(series).mean}
    shown = [curve(series, "KL a token"), *_rewards(run)]
    return told(PROBE, "kl_far", "warn", run, confirm="responses", estimate=number, curves=shown, values=values)


def _spikes(run: Run, _: np.random.Generator) -> Finding | None:
    """Logs with five times the KL of their neighbours on both sides; a KL that grows steadily has none."""
    series = run.find("kl", least=2 * NEIGHBOURS) or run.of("kl_answer", least=2 * NEIGHBOURS)
    floor = FLOOR if series.metric == "kl" else FLOOR * TOKENS
    usual = running_median(series.value, NEIGHBOURS)
    high = (series.value > SPIKE * usual) & (series.value > floor)
    if not high.any():
        return None
    worst = int(np.argmax(np.where(high, series.value, -np.inf)))
    values = {
        "count": int(high.sum()),
        "highest": float(series.value[worst]),
        "usual": float(usual[worst]),
        "where": place(run, float(series.step[worst])),
    }
    several = int(high.sum()) >= SPIKES
    shown = [curve(series, _unit(series)), *_rewards(run)] if several else []
    name = "kl_spikes" if several else "kl_spike"
    return told(PROBE, name, "warn" if several else "inform", run, confirm="responses", curves=shown, values=values)


def _bought_nothing(run: Run, rng: np.random.Generator) -> Finding | None:
    """The reward had nearly all of its gain in the first half of the run; since then KL (or perplexity) climbed on."""
    reward = run.of("reward", least=10)
    away = run.find("kl", least=10) or run.of("kl_answer", least=10)
    start, end = run.opening(reward), run.closing(reward)
    gain = apart(start, end)
    if gain <= 0:
        return None
    reached = np.flatnonzero(run.smooth(reward) >= start.mean + MOST_GAINED * gain)
    step = float(reward.step[reached[0]]) if reached.size else run.last
    if step > run.first + PLATEAU * run.span:
        return None
    after = away.where(away.step >= step)
    if len(after) < 8:
        raise NotEnoughData("at least 8 logged steps after the reward stopped rising")
    there, now = run.opening(after).mean, run.closing(after).mean
    if not _far_enough(away, now) or now < CLIMBED * there or trend(after.step, after.value, rng).low <= 0:
        return None
    values = {"where": place(run, step), "reward": end.mean, "there": there, "now": now}
    shown = [*_rewards(run), curve(away, _unit(away))]
    return told(PROBE, "plateau", "warn", run, confirm="responses", curves=shown, values=values)


def _in_vain(run: Run, _: np.random.Generator) -> Finding | None:
    """KL doubled, and is more than a little, while the reward did not rise at all."""
    reward = run.of("reward", least=20)
    away = run.find("kl", least=10) or run.of("kl_answer", least=10)
    start, end = run.opening(away), run.closing(away)
    rose = apart(run.opening(reward), run.closing(reward)) > 0
    if rose or not _far_enough(away, end.mean) or end.mean < DOUBLED * start.mean:
        return None
    values = {
        "there": start.mean,
        "now": end.mean,
        "start": run.opening(reward).mean,
        "end": run.closing(reward).mean,
    }
    shown = [*_rewards(run), curve(away, _unit(away))]
    number = level(end, _unit(away))
    return told(PROBE, "in_vain", "warn", run, confirm="responses", estimate=number, curves=shown, values=values)


def _entropy(run: Run, rng: np.random.Generator) -> Finding | None:
    if run.preferring or run.task == "sft":
        raise NotEnoughData("entropy of an RL run")
    series = run.of("entropy", least=6)
    start, end = run.opening(series), run.closing(series)
    if start.mean <= 0:
        return None
    times = end.mean / start.mean
    rising = times > WIDE and _rises(run, series, rng)
    if not (rising or times < NARROW):
        return None
    values = {"start": start.mean, "end": end.mean, "times": times}
    name = "entropy_high" if rising else "entropy_low"
    number = ratio(start, end)
    shown = [curve(series, "entropy")]
    return told(PROBE, name, "warn", run, confirm="responses", estimate=number, curves=shown, values=values)


def _strange(run: Run, _: np.random.Generator) -> Finding | None:
    series = run.of(EVAL + "perplexity", "perplexity", least=4)
    start, end = run.opening(series), run.closing(series)
    if run.task == "sft" or start.mean <= 0 or end.mean / start.mean <= STRANGE:
        return None
    values = {"start": start.mean, "end": end.mean, "times": end.mean / start.mean}
    number = ratio(start, end)
    shown = [curve(series, "perplexity")]
    return told(PROBE, "perplexity", "warn", run, confirm="responses", estimate=number, curves=shown, values=values)


def _rises(run: Run, series: Series, rng: np.random.Generator) -> bool:
    late = series.where(series.step >= run.first + run.span / 2)
    try:
        return trend(late.step, late.value, rng).low > 0
    except NotEnoughData:
        return float(late.value[-1]) > float(late.value[0])


def _far_enough(away: Series, kl: float) -> bool:
    """Whether a KL is worth a word: growth from nearly nothing is what a healthy run shows."""
    return kl >= (LITTLE if away.metric == "kl" else LITTLE * TOKENS)


def _unit(series: Series) -> str:
    return "KL a token" if series.metric == "kl" else "KL an answer"


def _rewards(run: Run) -> list[Curve]:
    return [curve(series, "reward") for name in ("reward", EVAL + "reward") if (series := run.find(name)) is not None]
