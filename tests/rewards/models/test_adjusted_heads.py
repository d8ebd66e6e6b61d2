"""`dehusk adjust` on heads of a small random model: a projection and an average, from pairs to an opened folder."""

import json

import numpy as np
import pytest

from dehusk.core.errors import InputError
from dehusk.core.options import AdjustConfig, ScoreConfig
from dehusk.fitting.heads import fit_head
from dehusk.rewards import open_models
from dehusk.rewards.embedding import open_embedder
from dehusk.rewards.heads import LinearHead, Place, load_head, save_head
from dehusk.workflow import run_adjust


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)

    def answer(most):
        words = [" ".join(rng.choice(["tea", "rain", "lamp"], 4)).capitalize() + "." for _ in range(rng.integers(2, 5))]
        return " ".join(words) + "!" * int(rng.integers(0, most))

    rows = [{"prompt": f"ask {i}", "chosen": answer(4), "rejected": answer(2)} for i in range(160)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return rows


@pytest.fixture
def head(causal_folder, options, pairs, tmp_path):
    """A head fitted on the pairs, saved to a folder."""
    place = Place(str(causal_folder()))
    embedder = open_embedder(place.embedder, options())
    points = [embedder.embed([r["prompt"] for r in pairs], [r[side] for r in pairs]) for side in ("chosen", "rejected")]
    fitted = fit_head(*points, l2=10.0, rng=np.random.default_rng(0)).head
    save_head(tmp_path / "head", fitted, place)
    return fitted, place


def run(*models, **more):
    given = {"pairs": "pairs.jsonl", "reward_model": models, "out": "made", "device": "cpu", "dtype": "float32"}
    return run_adjust(AdjustConfig(**(given | more)))


def score(spec, prompts, answers):
    [model] = open_models(ScoreConfig(reward_model=(spec,), device="cpu", dtype="float32"))
    return model.score(prompts, answers)


@pytest.mark.parametrize(("along", "target", "said"), [("edits", "bold", "edited"), ("pairs", "words", "along_pairs")])
@pytest.mark.parametrize(("strength", "left"), [(1.0, 0.0), (2.0, -1.0)])
def test_a_projected_head_pays_no_more_along_the_direction(head, pairs, strength, left, along, target, said):
    options = (f"strength={strength}", f"along={along}")
    found = run("linear:head", method="project", target=(target,), option=options)
    assert found.spec == "linear:made"
    assert found.notes[0].key == f"adjust.{said}"
    before, after = load_head("head")[0], load_head("made")[0]
    moved = (before.weights[0] - after.weights[0]).ravel()
    assert np.linalg.norm(moved) > 1e-6
    direction = moved / np.linalg.norm(moved)  # what was taken out is along it, so this is what the head paid for it
    assert after.weights[0] @ direction == pytest.approx(left * (before.weights[0] @ direction), abs=1e-5)
    assert [reading.name for reading in found.targets] == [target]


def test_the_numbers_told_are_those_of_the_folder_written(head, pairs):
    found = run("linear:head", method="project", target=("characters", "exclamations"), option=("spare_label=true",))
    prompts = [row["prompt"] for row in pairs]
    margins = [
        score(spec, prompts, [row["chosen"] for row in pairs])
        - score(spec, prompts, [row["rejected"] for row in pairs])
        for spec in ("linear:head", "linear:made")
    ]
    assert not np.allclose(*margins)
    assert found.pairs == 48
    shares = {round(float((np.sign(m) + 1).mean() / 2), 1) for m in margins}
    assert round(found.accuracy.after.value, 1) in {s + d for s in shares for d in (-0.1, 0, 0.1)}


def test_a_target_that_no_edit_changes_is_refused(head):
    with pytest.raises(InputError, match=r"no edit changes latex; expected a phrase, a length, or one of .*bold"):
        run("linear:head", method="project", target=("latex",), option=("along=edits",))


def test_a_target_that_hardly_a_pair_has_is_refused_with_the_other_way(head):
    with pytest.raises(InputError, match=r"pairs that differ in each target, got 0. Try: --option along=edits"):
        run("linear:head", method="project", target=("lamp of truth",))


def test_a_phrase_of_the_users_own_can_be_projected_out(head):
    assert (
        run("linear:head", method="project", target=("lamp of truth",), option=("along=edits",))
        .notes[0]
        .values["targets"]
        == 1
    )


def test_averaged_heads_score_as_the_mean_of_their_scores(head, pairs, tmp_path):
    fitted, place = head
    rng = np.random.default_rng(1)
    other = LinearHead(rng.normal(size=fitted.mean.size), fitted.scale * 2, fitted.weights, (np.ones(1),))
    save_head(tmp_path / "other", other, place)
    found = run("linear:head", "other=linear:other", method="average")
    assert found.diversity is not None
    prompts, answers = [row["prompt"] for row in pairs], [row["chosen"] for row in pairs]
    parts = [score(spec, prompts, answers) for spec in ("linear:head", "linear:other")]
    np.testing.assert_allclose(score("linear:made", prompts, answers), np.mean(parts, axis=0), atol=1e-4)


def test_heads_on_other_states_are_not_averaged(head, tmp_path):
    fitted, place = head
    save_head(tmp_path / "other", fitted, Place(place.embedder, layers=(0,)))
    with pytest.raises(InputError, match="heads on different states"):
        run("linear:head", "other=linear:other", method="average")
    both = run("linear:head", "other=linear:other", method="ensemble", rule="worst")
    assert both.spec == "ensemble:made"
    assert np.isfinite(score("ensemble:made", ["q"], ["a"])).all()
