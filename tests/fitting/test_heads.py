"""Heads by any objective against oracles, on noise, and on what was planted."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import objectives
from dehusk.fitting import bradley_terry
from dehusk.fitting.descent import Schedule
from dehusk.fitting.heads import UNSETTLED, fit_head, fit_heads
from dehusk.fitting.training_set import TrainingSet

BT = objectives["bt"].thing()
BY_STEPS = objectives["bt"].thing(centring=1e-12)  # the same loss, but not taken for the plain objective


def made(n=400, d=12, *, gap=0.0, spread=None, seed=0, prompts=None, k=1):
    """Noise whose fourth dimension is larger in the chosen answers, and whose features are its first dimensions."""
    rng = np.random.default_rng(seed)
    chosen, rejected = (rng.normal(size=(2, n, d)) * (np.ones(d) if spread is None else spread)).astype(np.float32)
    chosen[:, 3] += gap
    groups = np.arange(n) if prompts is None else rng.integers(prompts, size=n)
    features = (chosen[:, :k].astype(float), rejected[:, :k].astype(float))
    names = tuple(f"f{i}" for i in range(k))
    return TrainingSet(chosen, rejected, names, *features, weight=np.ones(n), groups=groups)


def weights(fitted, member=0):
    return fitted.heads[member].weights[0][0]


def margins(head, data):
    return head.rewards(data.chosen) - head.rewards(data.rejected)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [400, 30])
def test_a_fitted_head_is_the_penalised_logit(n):
    data = made(n, 40, gap=0.3, spread=np.linspace(0.1, 9, 40))
    fitted = fit_heads(data, BT, l2=5.0, rng=rng())
    x = (data.chosen - data.rejected) / np.concatenate([data.chosen, data.rejected]).std(axis=0)
    oracle = LogisticRegression(C=1 / 5.0, fit_intercept=False, tol=1e-10, max_iter=5000)
    oracle.fit(np.concatenate([x, -x]), np.repeat([1, 0], n), sample_weight=np.full(2 * n, 0.5))
    np.testing.assert_allclose(weights(fitted), oracle.coef_[0], atol=2e-4)
    np.testing.assert_allclose(margins(fitted.head, data), x @ oracle.coef_[0], atol=2e-3)


@pytest.mark.parametrize("n", [60, 400, 4000])
def test_steps_downhill_reach_what_is_exact(n):
    """Dimensions that all but repeat each other, as those of a language model do."""
    data = made(n, 12, gap=0.5)
    turn = np.linalg.qr(rng(1).normal(size=(12, 12)))[0] * np.geomspace(0.01, 1, 12)[:, None]
    mixed = (turn.T @ np.linalg.qr(rng(2).normal(size=(12, 12)))[0]).astype(np.float32)
    data = replace(data, chosen=data.chosen @ mixed, rejected=data.rejected @ mixed)
    exact, fitted = (fit_heads(data, objective, l2=3.0, rng=rng()) for objective in (BT, BY_STEPS))
    apart = margins(fitted.head, data) - margins(exact.head, data)
    assert apart.std() < 0.05 * margins(exact.head, data).std()
    assert fitted.settled and 0 <= fitted.left[0] <= UNSETTLED


def test_too_few_steps_are_noticed():
    data = made(2000, 12, gap=3.0)
    hasty = fit_heads(data, BY_STEPS, l2=1.0, rng=rng(), schedule=Schedule(steps=4, batch=2000, length=0.01))
    assert not hasty.settled


def test_a_single_round_proves_nothing():
    fitted = fit_heads(made(), BY_STEPS, l2=3.0, rng=rng(), schedule=Schedule(steps=20, rounds=1))
    assert fitted.steps == (20,) and not fitted.settled
    exact = fit_heads(made(), BT, l2=3.0, rng=rng())
    assert exact.steps == (0,) and exact.settled


@pytest.mark.parametrize("name", ["odin", "fimi", "dir", "mmd", "inform", "groupdro"])
def test_a_fit_that_says_it_has_settled_has(name):
    """Games between two learners, kinks and noise: five times the steps from other first weights give the same head."""
    data = made(600, 16, gap=0.6, k=2)
    data = replace(data, chosen=data.chosen + 0.3 * np.eye(16, dtype=np.float32)[0])
    data = replace(data, chosen_features=data.chosen[:, :2].astype(float))
    objective = objectives[name].thing()
    short = fit_heads(data, objective, l2=10.0, rng=rng())
    long = fit_heads(data, objective, l2=10.0, rng=rng(1), schedule=Schedule(steps=1000))
    assert short.settled and short.steps[0] < 2000
    assert np.corrcoef(margins(short.head, data), margins(long.head, data))[0, 1] > 0.98


def test_one_enormous_answer_does_not_switch_a_penalty_off():
    """It has nearly all of the variance of the feature; the other pairs' reward must not go with the feature."""
    data = made(600, 8, k=1)
    data.chosen[:, 0] += 0.8
    data = replace(data, chosen_features=data.chosen[:, :1].astype(float))
    longer = (data.chosen_features - data.rejected_features)[1:, 0]
    for name in ("bt", "correlation", "fimi", "odin", "poe"):
        data.chosen_features[0] = 100.0
        fitted = fit_heads(data, objectives[name].thing(), l2=3.0, rng=rng())
        owed = np.corrcoef(margins(fitted.head, data)[1:], longer)[0, 1]
        assert owed > 0.5 if name == "bt" else abs(owed) < 0.3, name


def test_a_strong_penalty_on_weights_does_not_empty_a_bottleneck():
    """Half the squares of encoder and decoder would be |w|, which is 0 at once where the penalty is strong."""
    data = made(600, 16, gap=0.6)
    plain = fit_heads(data, BT, l2=3000.0, rng=rng())
    for seed in range(3):
        fitted = fit_heads(data, objectives["inform"].thing(), l2=3000.0, rng=rng(seed))
        assert np.corrcoef(margins(fitted.head, data), margins(plain.head, data))[0, 1] > 0.9


def test_odin_keeps_the_preference_in_the_head_that_is_kept():
    """A preference that has nothing to do with the feature: were it free of L2, the other head would take it over."""
    data = made(600, 16, gap=0.6)
    plain, kept = (fit_heads(data, objectives[name].thing(), l2=100.0, rng=rng()) for name in ("bt", "odin"))
    assert np.corrcoef(margins(kept.head, data), margins(plain.head, data))[0, 1] > 0.95


def test_weights_count_like_repeats_and_nothing_is_nothing():
    data = made(200, 6, gap=0.4)
    counts = rng(1).integers(0, 4, 200)
    for objective, close in ((BT, 1e-4), (BY_STEPS, 0.1)):
        whole = fit_heads(data.rows(np.repeat(np.arange(200), counts)), objective, l2=4.0, rng=rng())
        weighed = fit_heads(replace(data, weight=counts.astype(float)), objective, l2=4.0, rng=rng())
        ours, theirs = margins(weighed.head, data), margins(whole.head, data)
        # repeats move the standard deviations that points are divided by, and the penalty with them
        assert np.abs(ours - theirs).max() < 0.1 * np.abs(theirs).max() + close


def test_a_planted_direction_is_found_and_noise_is_held_down():
    planted = fit_heads(made(600, 20, gap=1.0, seed=1), BT, rng=rng())
    found = weights(planted)
    assert np.abs(found).argmax() == 3
    assert found[3] > 4 * np.abs(np.delete(found, 3)).max()
    assert min(planted.losses.values()) < np.log(2) - 0.1
    null = fit_heads(made(600, 20, seed=2), BT, rng=rng())
    assert null.l2 >= 100
    assert min(null.losses.values()) > np.log(2) - 0.02


def test_the_chosen_penalty_does_better_than_the_extremes_on_new_pairs():
    """Fifty directions that matter a little: neither hardly any penalty nor a crushing one is right."""
    source = rng(5)
    truth = source.normal(size=50) * 0.15
    x = source.normal(size=(2400, 50)).astype(np.float32)
    signs = np.where(source.random(2400) < 1 / (1 + np.exp(-x @ truth)), 1, -1)
    half = (x * signs[:, None] / 2).astype(np.float32)
    data = TrainingSet(half, -half, (), np.empty((2400, 0)), np.empty((2400, 0)), np.ones(2400), np.arange(2400))
    train, new = data.rows(np.arange(300)), data.rows(np.arange(300, 2400))

    def lost(l2):
        return float(np.logaddexp(0, -margins(fit_heads(train, BT, l2=l2, rng=rng()).head, new)).mean())

    chosen = fit_heads(train, BT, rng=rng()).l2
    assert lost(chosen) < min(lost(bradley_terry.PENALTIES[0]), lost(bradley_terry.PENALTIES[-1])) - 0.005


@pytest.mark.parametrize("objective", [BT, BY_STEPS])
def test_swapping_the_sides_turns_the_sign(objective):
    data = made(100, 6, gap=0.5)
    swapped = replace(data, chosen=data.rejected, rejected=data.chosen)
    one, other = (fit_heads(each, objective, l2=3.0, rng=rng()).head for each in (data, swapped))
    assert np.corrcoef(margins(one, data), margins(other, data))[0, 1] < -0.99


@pytest.mark.parametrize("vary", ["bootstrap", "halves", "seeds"])
def test_members_differ_and_a_fit_can_be_repeated(vary):
    data = made(300, 8, gap=0.4, prompts=60)
    fits = [
        fit_heads(data, BY_STEPS, l2=10.0, members=3, vary=vary, rng=rng(7), schedule=Schedule(steps=40))
        for _ in range(2)
    ]
    assert len(fits[0].heads) == 3
    for one, again in zip(*(fit.heads for fit in fits), strict=True):
        np.testing.assert_array_equal(one.weights[0], again.weights[0])
    assert not np.allclose(weights(fits[0], 0), weights(fits[0], 1))
    other = fit_heads(data, BY_STEPS, l2=10.0, members=3, vary=vary, rng=rng(8), schedule=Schedule(steps=40))
    assert not np.allclose(weights(other), weights(fits[0]))


def test_a_member_of_halves_never_sees_the_other_half():
    """Every prompt prefers a dimension of its own: what a member has learnt tells which prompts it saw."""
    n = 8
    chosen = np.eye(n, dtype=np.float32)
    nothing = np.empty((n, 0))
    data = TrainingSet(chosen, -chosen, (), nothing, nothing, np.ones(n), np.arange(n))
    fitted = fit_heads(data, BT, l2=1.0, members=2, vary="halves", rng=rng())
    learnt = [np.abs(margins(head, data)) > 1e-6 for head in fitted.heads]
    assert (learnt[0] ^ learnt[1]).all()
    assert learnt[0].sum() == n // 2


def test_a_fit_leaves_torchs_own_chance_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fit_heads(made(50, 4), BY_STEPS, l2=1.0, rng=rng(), schedule=Schedule(steps=2))
    assert torch.equal(torch.rand(1), expected)


def test_pairs_of_one_prompt_are_held_out_together():
    with pytest.raises(NotEnoughData, match="prompts"):
        fit_head(*rng(3).normal(size=(2, 50, 4)), groups=np.zeros(50, dtype=np.int64), rng=rng())
    with pytest.raises(NotEnoughData):
        fit_head(np.empty((0, 4)), np.empty((0, 4)), rng=rng())


@pytest.mark.parametrize("name", [row.name for row in objectives if "text" not in row.options.get("needs", ())])
def test_every_objective_fits_a_head_that_is_exported_as_it_is(name):
    """A preference that is easy is learnt whatever else is asked for."""
    data = made(300, 10, gap=3.0, k=2)
    noise = rng(2).normal(size=(2, 300, 10)).astype(np.float32)
    data = replace(data, foreign_chosen=noise[0], foreign_rejected=noise[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a loss of another module may copy memory
        fitted = fit_heads(data, objectives[name].thing(), l2=3.0, rng=rng())
    assert np.mean(margins(fitted.head, data) > 0) > 0.65  # ODIN hands much of it to the heads that are thrown away
    assert np.isfinite(fitted.left[0])


def test_a_strong_penalty_shrinks_a_network_as_it_shrinks_a_line_and_no_further():
    """On both layers' squares it would be one on |weights|, and all of them 0."""
    data = made(600, 30, gap=0.5, seed=1)
    spreads = [margins(fit_heads(data, objectives["bt"].thing(hidden=h), l2=2000.0, rng=rng()).head, data).std()
               for h in (0, 32)]  # fmt: skip
    assert 0.5 * spreads[0] < spreads[1] < 3 * spreads[0]


def test_a_hidden_layer_learns_what_no_line_can():
    """The better answer is the one nearer to 0: a bowl, which a linear head cannot hold."""
    source = rng(4)
    sides = source.normal(size=(2, 3000, 2)).astype(np.float32)
    near = np.abs(sides[..., 0]).argmin(axis=0)
    chosen, rejected = sides[near, np.arange(3000)], sides[1 - near, np.arange(3000)]
    nothing = np.empty((3000, 0))
    data = TrainingSet(chosen, rejected, (), nothing, nothing, np.ones(3000), np.arange(3000))
    bent = fit_heads(data, objectives["bt"].thing(hidden=16), l2=1.0, rng=rng())
    assert np.mean(margins(bent.head, data) > 0) > 0.85
    assert np.mean(margins(fit_heads(data, BT, l2=1.0, rng=rng()).head, data) > 0) < 0.65


def test_what_an_objective_needs_is_asked_for():
    data = made(50, 4, k=0)
    with pytest.raises(InputError, match="feature"):
        fit_heads(data, objectives["correlation"].thing(), l2=1.0, rng=rng())
    with pytest.raises(InputError, match="another prompt"):
        fit_heads(data, objectives["neutral_ties"].thing(), l2=1.0, rng=rng())
