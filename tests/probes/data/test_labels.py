"""`data.labels` and `data.ceiling`: labels against scores, aspects and repeated votes."""

import json

import numpy as np
import pytest
from factories import make_pairs, needs_real_data, real_pairs

from dehusk.core.errors import NotEnoughData
from dehusk.probes.data.ceiling import ceiling
from dehusk.probes.data.labels import labels


def run(probe, pairs):
    """Findings in order, rendered once in both languages."""
    found = list(probe(pairs))
    assert all(finding.sentence.render(lang) for finding in found for lang in ("en", "zh"))
    return found


def voted(rng, n, noise, votes=5):
    """Votes with position, as some sources keep them; every vote is wrong with chance `noise`."""
    wrong = rng.random((n, votes)) < noise
    best = rng.integers(1, 3, n)
    cast = np.where(wrong, 3 - best[:, None], best[:, None])
    majority = np.where((cast == 1).mean(axis=1) > 0.5, 1, 2)
    return [
        json.dumps({"votes": row.tolist(), "chosen_position": int(won)})
        for row, won in zip(cast, majority, strict=True)
    ]


def test_inverted_labels():
    chosen, rejected = np.full(400, 8.0), np.full(400, 3.0)
    chosen[:10], rejected[:10], rejected[10:30] = 1.0, 9.0, 8.0
    (finding,) = run(labels, make_pairs(400, chosen_score=chosen, rejected_score=rejected))
    assert finding.verdict == "warn"
    assert finding.estimate.value == pytest.approx(10 / 400)
    assert finding.details["rows"] == list(range(1, 11))
    assert finding.details["ties"] == pytest.approx(20 / 400)
    (clean,) = run(labels, make_pairs(400, chosen_score=chosen + 20, rejected_score=rejected))
    assert clean.verdict == "pass"


def test_a_top_score_on_answers_with_the_lowest_aspects():
    rng = np.random.default_rng(0)
    quality = rng.uniform(2, 8, (400, 2))
    score = quality.copy()
    aspects = quality + rng.normal(0, 0.3, quality.shape)
    score[:8, 0], aspects[:8, 0] = 10.0, 1.0  # a "1" that was read as "10"
    order = np.argsort(-score, axis=1)
    score, aspects = np.take_along_axis(score, order, 1), np.take_along_axis(aspects, order, 1)
    columns = {
        "chosen_score": score[:, 0],
        "rejected_score": score[:, 1],
        "chosen_helpfulness": aspects[:, 0],
        "rejected_helpfulness": aspects[:, 1],
    }
    found = {finding.details["reading"]: finding for finding in run(labels, make_pairs(400, **columns))}
    assert found["inverted_scores"].verdict == "fail"
    assert found["inverted_scores"].estimate.value == pytest.approx(8 / 400)
    assert found["inverted_scores"].details["rows"] == list(range(1, 9))


@pytest.mark.parametrize(("name", "verdict"), [("verbosity", "warn"), ("helpfulness", "inform")])
def test_aspects_that_decide(name, verdict):
    rng = np.random.default_rng(1)
    aspect = rng.normal(size=(300, 2))
    wins = np.sort(aspect, axis=1)[:, ::-1]
    wins = np.where((rng.random(300) < 0.8)[:, None], wins, wins[:, ::-1])
    columns = {f"chosen_{name}": wins[:, 0], f"rejected_{name}": wins[:, 1]}
    noise = {"chosen_x": rng.normal(size=300), "rejected_x": rng.normal(size=300)}
    found = {f.details["aspect"]: f for f in run(labels, make_pairs(300, **columns, **noise))}
    assert found[name].verdict == verdict
    assert found[name].estimate.value == pytest.approx(np.sign(wins[:, 0] - wins[:, 1]).mean())
    assert found["x"].verdict == "pass"


@pytest.mark.parametrize("noise", [0.1, 0.25])
def test_noise_of_labellers_is_recovered(noise):
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(40):
        pairs = make_pairs(400, extra=voted(rng, 400, noise))
        (disagree,), (bound,) = run(labels, pairs), run(ceiling, pairs)
        covered += bound.estimate.low <= 1 - noise <= bound.estimate.high
        assert disagree.estimate.value == pytest.approx(2 * noise * (1 - noise), abs=0.05)
        assert disagree.sentence.values["noise"] == pytest.approx(1 - bound.estimate.value)
    assert covered >= 35


def test_votes_in_other_clothes():
    votes = [[1, 1, 1, 2], [["judge_a", 1], ["judge_b", 1]], [1, 1, 0], None, "broken"] * 10
    pairs = make_pairs(50, votes=[json.dumps(value) if value != "broken" else "{" for value in votes])
    (finding,) = run(ceiling, pairs)
    assert finding.details["comparisons"] == 30
    assert finding.details["judgements"] == 10 * (4 + 2 + 2)


def test_repeats_in_the_file_give_a_ceiling():
    rng = np.random.default_rng(3)
    first, second = [f"first {i % 100}" for i in range(200)], [f"second {i % 100}" for i in range(200)]
    swapped = (rng.random(200) < 0.1)[:, None]
    sides = np.where(swapped, np.stack([second, first], axis=1), np.stack([first, second], axis=1))
    pairs = make_pairs(200, chosen=sides[:, 0].tolist(), rejected=sides[:, 1].tolist(), groups=np.arange(200) % 100)
    (finding,) = run(ceiling, pairs)
    assert finding.sentence.key == "data.ceiling.repeats"
    assert finding.estimate.low < 0.9 < finding.estimate.high
    assert finding.details["least"] <= finding.estimate.value


def test_contradictions_alone_are_no_sample_of_repeats():
    first, second = [f"first {i}" for i in range(30)], [f"second {i}" for i in range(30)]
    pairs = make_pairs(60, chosen=first + second, rejected=second + first, groups=np.arange(60) % 30)
    with pytest.raises(NotEnoughData, match="probably removed"):
        run(ceiling, pairs)


def test_absences_name_the_columns():
    with pytest.raises(NotEnoughData, match="chosen_score"):
        run(labels, make_pairs(100))
    with pytest.raises(NotEnoughData, match="votes"):
        run(ceiling, make_pairs(100))


@needs_real_data
def test_real_votes_are_read():
    pairs = real_pairs("alpacafarm_pairs_gpt4_repeated")
    (finding,) = run(ceiling, pairs)
    assert finding.details["comparisons"] == len(pairs)
    # The column label_strength is the share of votes for the chosen answer: brute force from it.
    share = pairs.frame["label_strength"].to_numpy()
    votes = finding.details["judgements"] / len(pairs)
    agree = 1 - np.mean(2 * share * (1 - share)) * votes / (votes - 1)
    assert finding.details["agreement"].value == pytest.approx(agree, abs=0.002)
    assert run(labels, pairs)[0].estimate.value == pytest.approx(1 - agree, abs=0.002)


@needs_real_data
def test_ultrafeedback_labels_follow_their_scores():
    (finding,) = run(labels, real_pairs("ultrafeedback_sample"))
    assert (finding.verdict, finding.estimate.value) == ("pass", 0.0)
