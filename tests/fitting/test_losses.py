"""Every loss: gradients, nulls, the direction it pulls in, limits, and numbers from elsewhere."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import logsigmoid

from dehusk.core.kinds import losses
from dehusk.fitting.losses.bradley_terry import bradley_terry, centring
from dehusk.fitting.losses.correlation import (
    correlation,
    curve_correlation,
    odin,
    orthogonality,
    shortcut_kernel,
    squared_correlation,
)
from dehusk.fitting.losses.discrepancy import bins_of, conditional_mmd
from dehusk.fitting.losses.information import label_information, latent_kl, noisy_bradley_terry
from dehusk.fitting.losses.pair_weights import (
    distance_weights,
    error_weights,
    focal,
    group_losses,
    leaning,
    product_of_experts,
    sides,
    worst_group,
)
from dehusk.fitting.losses.prompts import interpolated, neutral_tie, small_gap_weights, text_regularisation

PAIRS = 12
HALVES = torch.tensor([1.0] * PAIRS + [0.0] * PAIRS, dtype=torch.float64)
NO_GRADIENT = {"distance_weights", "error_weights", "small_gap_weights"}  # weights: they must not learn themselves away


def draw(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def weights(n=PAIRS):
    return torch.tensor(np.random.default_rng(9).uniform(0.5, 1.5, n))


def about(chosen, rejected):
    """Rewards of both sides as one column, chosen above rejected."""
    return torch.cat([chosen, rejected])


Z = draw(2 * PAIRS, 2, seed=5)
GRADIENTS = {  # name -> (function of the tensors that learn, those tensors)
    "bradley_terry": (
        lambda d, m: bradley_terry(d, margin=m, label=weights() / 2, weight=weights()),
        (draw(PAIRS), draw(PAIRS, seed=1)),
    ),
    "centring": (lambda w, r: centring(w, r, weight=weights()), (draw(PAIRS), draw(PAIRS, seed=1))),
    "squared_correlation": (
        lambda r, z: squared_correlation(r, z, label=HALVES, weight=weights(2 * PAIRS)),
        (draw(2 * PAIRS), Z),
    ),
    "shortcut_kernel": (shortcut_kernel, (draw(5, 2), draw(5, 2, seed=1), draw(2, seed=2))),
    "odin": (lambda q, o: odin(q, o, Z), (draw(2 * PAIRS), draw(2 * PAIRS, 2, seed=1))),
    "orthogonality": (orthogonality, (draw(6), draw(2, 6, seed=1))),
    "curve_correlation": (curve_correlation, (draw(2 * PAIRS), draw(2 * PAIRS, seed=1))),
    "conditional_mmd": (lambda r: conditional_mmd(r, Z, HALVES, bins=3, bandwidth=1.3), (draw(2 * PAIRS, 2),)),
    "label_information": (
        lambda logit: label_information(logit, (Z[:PAIRS] > 0).double(), torch.ones(PAIRS, 2), Z.abs().mean(0)),
        (draw(PAIRS, 2),),
    ),
    "noisy_bradley_terry": (
        lambda d, v, m: noisy_bradley_terry(d, v.exp(), margin=m, weight=weights()),
        (draw(PAIRS), draw(PAIRS, seed=1), draw(PAIRS, seed=2)),
    ),
    "latent_kl": (lambda m, s: latent_kl(m, s, weight=weights()), (draw(PAIRS, 3), draw(PAIRS, 3, seed=1))),
    "product_of_experts": (lambda d: product_of_experts(d, Z[:PAIRS, 0]), (draw(PAIRS),)),
    "focal": (lambda d: focal(d, gamma=1.5, weight=weights()), (draw(PAIRS),)),
    "worst_group": (
        lambda each: worst_group(each, sides(Z[:PAIRS], Z[PAIRS:]), torch.full((4,), 0.25)),
        (draw(PAIRS),),
    ),
    "neutral_tie": (lambda d: neutral_tie(d, weight=weights()), (draw(PAIRS),)),
    "interpolated": (lambda d: interpolated(d, weights() / 2), (draw(PAIRS),)),
    "text_regularisation": (lambda text: text_regularisation(text, weight=weights()), (draw(PAIRS).abs(),)),
}


@pytest.mark.parametrize("name", sorted(GRADIENTS))
def test_gradients_are_those_of_the_function(name):
    function, inputs = GRADIENTS[name]
    assert torch.autograd.gradcheck(function, tuple(each.clone().requires_grad_() for each in inputs))


@pytest.mark.parametrize("averaged", [False, True])
def test_both_forms_of_the_bottleneck_have_gradients(averaged):
    inputs = (draw(4, 3).requires_grad_(), draw(4, 3, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(lambda m, s: latent_kl(m, s, averaged=averaged), inputs)


def test_weights_carry_no_gradient():
    x = draw(PAIRS).requires_grad_()
    made = {
        "distance_weights": distance_weights(x.abs(), x.mean()),
        "error_weights": error_weights(x),
        "small_gap_weights": small_gap_weights(x, x),
    }
    assert set(made) == NO_GRADIENT
    assert not any(weight.requires_grad for weight in made.values())


def test_every_loss_is_tested_and_names_its_source():
    assert {entry.name for entry in losses} == set(GRADIENTS) | NO_GRADIENT == set(PULLS)
    for entry in losses:
        paper = entry.options["paper"]
        assert paper.split()[-1] in entry.thing.__doc__, entry.name
        assert "shape" in entry.thing.__doc__, entry.name


# Nulls: rewards that have nothing to do with the features.


def over_draws(penalty, draws=400, n=60):
    """Mean of a penalty over draws of unrelated rewards and features, and its standard error."""
    rng = np.random.default_rng(3)
    label = torch.tensor([1.0, 0.0], dtype=torch.float64).repeat_interleave(n // 2)
    found = []
    for _ in range(draws):
        rewards = torch.tensor(rng.normal(size=n)) + label  # they do know the label
        features = torch.tensor(rng.permutation(rng.gamma(2, size=(n, 2))))
        found.append(float(penalty(rewards, features, label)))
    return np.mean(found), np.std(found) / math.sqrt(draws)


def test_a_squared_correlation_of_nothing_is_one_over_n_less_one():
    mean, error = over_draws(lambda r, z, _: squared_correlation(r, z))
    assert abs(mean - 2 / 59) < 4 * error  # and not 0: see the docstring
    mean, error = over_draws(lambda r, z, label: squared_correlation(r, z, label=label))
    assert abs(mean - 2 / 58) < 4 * error


def test_what_features_share_with_the_label_is_only_punished_without_it():
    def shared(r, z, label):
        return squared_correlation(r, z + 2 * label[:, None])

    mean, error = over_draws(shared)
    assert mean > 0.1
    mean, error = over_draws(lambda r, z, label: squared_correlation(r, z + 2 * label[:, None], label=label))
    assert abs(mean - 2 / 58) < 4 * error


def test_the_heads_of_odin_cost_the_mean_of_an_absolute_correlation_of_nothing():
    mean, error = over_draws(lambda r, z, _: odin(r, z.flip(0), z))
    assert abs(mean - 2 * math.sqrt(2 / math.pi / 59)) < 4 * error + 0.01  # the second head's part is around 0


@pytest.mark.parametrize("bins", [2, 5])
def test_a_discrepancy_of_nothing_is_nothing(bins):
    mean, error = over_draws(lambda r, z, label: conditional_mmd(r[:, None], z, label, bins=bins), draws=300)
    assert abs(mean) < 4 * error
    assert error < 0.005


def test_labels_that_q_cannot_know_cost_nothing():
    def information(r, z, _):
        labels = (z > 1.7).double()
        return label_information(r[:, None].expand(-1, 2), labels, torch.ones_like(labels), labels.mean(0))

    mean, error = over_draws(information)
    assert abs(mean) < 4 * error


def test_a_curve_of_nothing_correlates_by_chance_only():
    mean, error = over_draws(lambda r, z, _: curve_correlation(r, z[:, 0]))
    assert abs(mean - math.sqrt(2 / math.pi / 59)) < 4 * error + 0.005


# Direction: what a pair is pulled by, with and without.


def pull(loss, difference):
    """By how much a step would raise each pair's difference."""
    leaf = difference.clone().requires_grad_()
    return -torch.autograd.grad(loss(leaf), leaf)[0]


def leaning_rewards(n=40):
    """Differences that grow with the feature's, and the features of both sides; the last pair's winner has most."""
    features = torch.sort(draw(n, seed=2))[0]
    return features + 0.3 * draw(n, seed=4), torch.stack([features, -features])[:, :, None] / 2


def of_answers(penalty):
    """A penalty on all answers as one on the differences between them, rewards being half of it up and half down."""
    _, (chosen, rejected) = leaning_rewards()
    label = torch.tensor([1.0, 0.0], dtype=torch.float64).repeat_interleave(len(chosen))
    return lambda d: penalty(about(d / 2, -d / 2), torch.cat([chosen, rejected]), label)


def last_is_pulled_less(penalty):
    """Whether the pair whose winner has most of the feature is pulled less with a penalty than without."""
    difference, _ = leaning_rewards()
    without, with_it = (pull(loss, difference) for loss in (bradley_terry, lambda d: bradley_terry(d) + penalty(d)))
    return bool(with_it[-1] < without[-1])


def last_bins_are_pulled_less(penalty):
    difference, _ = leaning_rewards()
    extra = pull(penalty, difference)
    return bool(extra[-8:].mean() < 0 < extra[:8].mean())


def information_of_differences(d):
    labels = (leaning_rewards()[1][0] > 0).double()
    return label_information(3 * d[:, None], labels, torch.ones_like(labels), labels.mean(0))


def kernel_pull(z):
    d, logits = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    kernel = shortcut_kernel(torch.tensor([[z]]), torch.tensor([[0.0]]), logits)
    return float(pull(lambda leaf: bradley_terry(leaf, margin=kernel), d))


def drives_apart(kept, other):
    step = 0.01 * pull(lambda leaf: orthogonality(leaf, other), kept)
    return smaller(orthogonality(kept + step, other), orthogonality(kept, other))


def smaller(easy, hard):
    return bool(easy < hard)


def group_pull():
    """Two pairs where the winner has more and one where it has less, which the head gets wrong."""
    d = torch.tensor([2.0, 2.0, -1.0], dtype=torch.float64)
    groups = sides(torch.tensor([[1.0], [1.0], [-1.0]]), torch.zeros(3, 1)).double()
    each = -logsigmoid(d)
    shares = leaning(torch.full((2,), 0.5, dtype=torch.float64), each, groups, step=1.0)
    found = pull(lambda leaf: worst_group(-logsigmoid(leaf), groups, shares), d)
    plain = pull(bradley_terry, d)
    return smaller(found[0] / plain[0], found[2] / plain[2])


ONE = torch.ones(1, dtype=torch.float64)
PULLS = {
    "bradley_terry": lambda: smaller(pull(bradley_terry, ONE), pull(lambda d: bradley_terry(d, margin=ONE), ONE)),
    "centring": lambda: bool(pull(lambda d: centring(d / 2, -d / 2), ONE) == 0),  # a difference is none of its business
    "squared_correlation": lambda: (
        last_is_pulled_less(of_answers(lambda r, z, _: squared_correlation(r, z)))
        and last_is_pulled_less(of_answers(lambda r, z, label: squared_correlation(r, z, label=label)))
    ),
    "shortcut_kernel": lambda: smaller(kernel_pull(3.0), kernel_pull(0.0)),
    "odin": lambda: last_is_pulled_less(of_answers(lambda r, z, _: odin(r, z, z))),
    "orthogonality": lambda: drives_apart(draw(3), draw(1, 3, seed=1)),
    "curve_correlation": lambda: last_is_pulled_less(of_answers(lambda r, z, _: curve_correlation(r, z[:, 0]))),
    "conditional_mmd": lambda: last_bins_are_pulled_less(
        of_answers(lambda r, z, label: conditional_mmd(r[:, None], z, label, bins=4))
    ),
    "label_information": lambda: last_is_pulled_less(information_of_differences),
    "noisy_bradley_terry": lambda: smaller(  # what noise may have turned round pulls less
        pull(lambda d: noisy_bradley_terry(d, 9 * ONE), -ONE), pull(bradley_terry, -ONE)
    ),
    "latent_kl": lambda: bool(pull(lambda m: latent_kl(m[:, None], torch.zeros(1, 1)), 2 * ONE) < 0),
    "product_of_experts": lambda: smaller(pull(lambda d: product_of_experts(d, ONE), ONE), pull(bradley_terry, ONE)),
    "focal": lambda: smaller(
        pull(focal, 2 * ONE) / pull(bradley_terry, 2 * ONE), pull(focal, -ONE) / pull(bradley_terry, -ONE)
    ),
    "distance_weights": lambda: smaller(distance_weights(2 * ONE, ONE[0]), distance_weights(ONE, ONE[0])),
    "error_weights": lambda: smaller(*error_weights(torch.tensor([1.0, 1.0, 1.0, -1.0]))[2:]),
    "worst_group": group_pull,
    "neutral_tie": lambda: bool(pull(neutral_tie, ONE) < 0 < pull(neutral_tie, -ONE)),
    "interpolated": lambda: smaller(pull(lambda d: interpolated(d, ONE / 2), ONE), pull(bradley_terry, ONE)),
    "small_gap_weights": lambda: smaller(small_gap_weights(3 * ONE, draw(9)), small_gap_weights(0 * ONE, draw(9))),
    "text_regularisation": lambda: bool(pull(text_regularisation, ONE) < 0),  # the text becomes likelier
}


@pytest.mark.parametrize("name", sorted(PULLS))
def test_it_pulls_where_it_should(name):
    assert PULLS[name]()


# Limits and invariances.


def test_a_pair_of_equal_rewards_costs_ln_2():
    assert float(bradley_terry(torch.zeros(3), margin=torch.zeros(3))) == pytest.approx(math.log(2))
    assert float(neutral_tie(torch.zeros(3))) == pytest.approx(math.log(2))


def test_a_pair_of_no_weight_is_not_there():
    d, weight = draw(PAIRS), torch.ones(PAIRS)
    weight[3] = 0
    without = torch.cat([d[:3], d[4:]])
    assert torch.isclose(bradley_terry(d, weight=weight) * PAIRS, bradley_terry(without) * (PAIRS - 1))
    z, kept = draw(PAIRS, 1, seed=1), [0, 1, 2, *range(4, PAIRS)]
    assert torch.isclose(squared_correlation(d, z, weight=weight), squared_correlation(d[kept], z[kept]))


def test_one_pair_keeps_its_weight():
    assert float(bradley_terry(torch.zeros(1), weight=torch.full((1,), 0.25))) == pytest.approx(math.log(2) / 4)


def test_ties_do_not_care_who_is_first():
    d, m, half = draw(PAIRS), draw(PAIRS, seed=1).abs(), torch.full((PAIRS,), 0.5)
    assert torch.isclose(bradley_terry(d, margin=m, label=half), bradley_terry(-d, margin=m, label=half))
    twice = torch.cat([bradley_terry(d, weight=half)[None], bradley_terry(-d, weight=half)[None]]).sum()
    assert torch.isclose(neutral_tie(d), twice)  # as plans write them: two opposite pairs of weight one half


def test_all_of_a_prompt_is_the_pair_itself_and_nothing_of_it_a_tie():
    d = draw(PAIRS)
    assert torch.isclose(interpolated(d, torch.ones(PAIRS)), bradley_terry(d))
    assert torch.isclose(interpolated(d, torch.zeros(PAIRS)), neutral_tie(d))


def test_plain_limits():
    d = draw(PAIRS)
    assert torch.isclose(focal(d, gamma=0.0), bradley_terry(d))
    assert torch.isclose(product_of_experts(d, torch.zeros(PAIRS)), bradley_terry(d))
    assert torch.equal(error_weights(d, factor=1.0), torch.ones(PAIRS, dtype=d.dtype))
    assert torch.allclose(small_gap_weights(d, d, sharpness=0.0), torch.ones(PAIRS, dtype=d.dtype))
    assert torch.allclose(distance_weights(torch.full((3,), 2.0), torch.tensor(2.0)), torch.ones(3))
    assert float(distance_weights(torch.zeros(1), torch.tensor(2.0), most=4.0)) == 4  # the very same answers


@pytest.mark.parametrize("name", ["squared_correlation", "odin", "curve_correlation", "conditional_mmd"])
def test_penalties_are_blind_to_scale_and_shift_of_rewards(name):
    penalty = {
        "squared_correlation": lambda r: squared_correlation(r, Z, label=HALVES),
        "odin": lambda r: odin(r, Z, Z),
        "curve_correlation": lambda r: curve_correlation(r, Z[:, 0]),
        "conditional_mmd": lambda r: conditional_mmd(r[:, None], Z, HALVES, bins=3),
    }[name]
    r = draw(2 * PAIRS)
    assert torch.isclose(penalty(r), penalty(7 * r - 3))
    assert not torch.isclose(penalty(r), penalty(r + Z[:, 0]), atol=1e-3)


def test_a_reward_that_does_not_move_correlates_with_nothing():
    still = torch.ones(2 * PAIRS, dtype=torch.float64, requires_grad=True)
    loss = squared_correlation(still, Z)
    assert float(loss.detach()) == pytest.approx(0, abs=1e-20)
    assert torch.autograd.grad(loss, still)[0].isfinite().all()


def test_the_kernel_moves_no_margin_by_more_than_its_strength():
    alike, apart = torch.zeros(1, 2), torch.full((1, 2), 4.0)
    logits = torch.tensor([0.3, -2.0])
    assert float(shortcut_kernel(alike, alike, logits)) == pytest.approx(1)  # the most, where no shortcut could help
    assert float(shortcut_kernel(apart, alike, logits)) < 1e-6


def test_an_averaged_bottleneck_lets_opposite_means_pass():
    mean, spread = torch.tensor([[3.0, -3.0]]), torch.zeros(1, 2)
    assert float(latent_kl(mean, spread)) == pytest.approx(9)
    assert float(latent_kl(mean, spread, averaged=True)) == 0


def test_a_first_head_that_is_sure_of_an_error_is_believed():
    d = torch.tensor([1.0, -1.0, -5.0, math.nan])
    assert error_weights(d, factor=4.0, room=1.0).tolist() == [1, 4, 1, 1]
    assert error_weights(d, factor=4.0, room=1.0, believable=0.0).tolist() == [1, 4, 4, 1]


@pytest.mark.parametrize(("errors", "expected"), [(1, 3.0), (3, 2 / 3 * 7 / 3), (5, 1.0), (0, 1.0), (10, 1.0)])
def test_errors_never_outweigh_what_a_first_head_gets_right(errors, expected):
    d = torch.cat([-torch.ones(errors), torch.ones(10 - errors), torch.full((4,), math.nan)]).double()
    found = error_weights(d, room=0.4)
    assert found[:errors].tolist() == pytest.approx([expected] * errors)
    assert torch.equal(found[errors:], torch.ones(14 - errors, dtype=found.dtype))
    if errors < 4:
        assert float(found[:errors].sum()) <= 0.4 * float(found[:10].sum()) + 1e-9


def test_the_noise_of_a_bottleneck_is_averaged_out():
    """The mean over the noise, against an integral on a fine grid; without noise it is the plain likelihood."""
    d, sd, margin = draw(20), 2 * draw(20, seed=1).abs(), draw(20, seed=2)
    grid = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    normal = (-(grid**2) / 2).exp()
    each = torch.nn.functional.softplus(margin[:, None] - d[:, None] - sd[:, None] * grid) @ (normal / normal.sum())
    assert float(noisy_bradley_terry(d, sd**2, margin=margin)) == pytest.approx(float(each.mean()), abs=1e-3)
    plain = float(bradley_terry(d, margin=margin, weight=weights(20)))
    assert float(noisy_bradley_terry(d, 0 * d, margin=margin, weight=weights(20))) == pytest.approx(plain, abs=1e-6)


def test_small_gaps_weigh_one_on_average_over_the_pairs_seen():
    known = draw(50)
    assert float(small_gap_weights(known, known).mean()) == pytest.approx(1)
    some = torch.cat([known, torch.full((20,), math.nan)])
    found = small_gap_weights(some, some)
    assert float(found[:50].mean()) == pytest.approx(1)
    assert torch.equal(found[50:], torch.ones(20, dtype=found.dtype))
    assert float(small_gap_weights(known[:1], known)) != pytest.approx(1)  # one pair a device keeps its own weight


def test_groups_that_do_badly_gain():
    groups = torch.eye(2, dtype=torch.float64)
    shares = leaning(torch.full((2,), 0.5, dtype=torch.float64), torch.tensor([1.0, 3.0]), groups, step=0.5)
    assert shares.tolist() == pytest.approx([1 / (1 + math.e), math.e / (1 + math.e)])
    assert group_losses(torch.tensor([1.0, 3.0]), torch.tensor([[1.0, 0, 0], [1.0, 0, 1]])).tolist() == [2, 0, 3]


# Numbers from elsewhere.


def test_the_likelihood_is_that_of_numpy():
    d, m, y, w = (draw(PAIRS, seed=i).numpy() for i in range(4))
    y, w = 1 / (1 + np.exp(-y)), np.abs(w)
    expected = np.mean(w * (y * np.logaddexp(0, m - d) + (1 - y) * np.logaddexp(0, m + d)))
    found = bradley_terry(torch.tensor(d), margin=torch.tensor(m), label=torch.tensor(y), weight=torch.tensor(w))
    assert float(found) == pytest.approx(expected)


def test_correlations_are_those_of_scipy():
    r = draw(2 * PAIRS)
    expected = [stats.pearsonr(r.numpy(), Z[:, j].numpy()).statistic for j in range(2)]
    assert correlation(r, Z).tolist() == pytest.approx(expected)
    within = [np.concatenate([part - part.mean(0) for part in np.split(x.numpy(), 2)]) for x in (r, Z)]
    partial = [stats.pearsonr(within[0], within[1][:, j]).statistic for j in range(2)]
    assert float(squared_correlation(r, Z, label=HALVES)) == pytest.approx(np.square(partial).sum())


def test_a_weight_of_two_is_a_row_twice():
    r, twice = draw(PAIRS), torch.ones(PAIRS)
    twice[0] = 2
    rows = [0, *range(PAIRS)]
    z, label = Z[:PAIRS], torch.arange(PAIRS).double() % 2
    once = squared_correlation(r, z, label=label, weight=twice)
    assert torch.isclose(once, squared_correlation(r[rows], z[rows], label=label[rows]))


def test_odin_and_orthogonality_by_hand():
    q, other = draw(2 * PAIRS), draw(2 * PAIRS, 2, seed=1)
    pearson = lambda a, b: np.corrcoef(a.numpy(), b.numpy())[0, 1]  # noqa: E731
    expected = sum(abs(pearson(q, Z[:, j])) - pearson(other[:, j], Z[:, j]) for j in range(2))
    assert float(odin(q, other, Z)) == pytest.approx(expected)
    assert float(orthogonality(torch.tensor([1.0, 0.0]), torch.tensor([[-2.0, 0.0], [0.0, 1.0]]))) == pytest.approx(1)


def test_the_bottleneck_is_that_of_torch():
    mean, spread = draw(4, 3), draw(4, 3, seed=1)
    normal = torch.distributions.Normal
    each = torch.distributions.kl_divergence(normal(mean, (spread / 2).exp()), normal(0, 1))
    assert torch.isclose(latent_kl(mean, spread), each.sum(1).mean())


def test_information_is_the_double_sum_of_the_paper():
    logits, labels = draw(PAIRS, 1), (Z[:PAIRS, :1] > 0).double()

    def log_q(b, logit):
        return logsigmoid(logit if b else -logit)

    pairs = [(labels[i, 0], logits[j, 0]) for i in range(PAIRS) for j in range(PAIRS)]
    own = sum(log_q(labels[i, 0], logits[i, 0]) for i in range(PAIRS)) / PAIRS
    crossed = sum(log_q(b, logit) for b, logit in pairs) / PAIRS**2
    found = label_information(logits, labels, torch.ones_like(labels), labels.mean(0))
    assert torch.isclose(found, own - crossed)


def test_information_of_one_pair_is_nothing_only_if_its_own_label_is_the_marginal():
    logit, label, known = 2 * ONE[:, None], ONE[:, None], ONE[:, None]
    assert float(label_information(logit, label, known, label[0])) == 0  # the released code at one pair a device
    assert float(label_information(logit, label, known, torch.tensor([0.5]))) == pytest.approx(1)
    assert float(label_information(logit, label, 0 * known, torch.tensor([0.5]))) == 0  # a tie


def test_the_discrepancy_is_the_one_by_loops():
    r, label = draw(2 * PAIRS, 1), HALVES
    found = []
    for side in (1, 0):
        x, z = r[label == side][:, 0].numpy(), Z[label == side]
        squares = (x[:, None] - x[None]) ** 2
        bandwidth = np.sort(squares[np.triu_indices(PAIRS, 1)])[(PAIRS * (PAIRS - 1) // 2 - 1) // 2]
        kernel = np.exp(-squares / (2 * bandwidth))
        for j in range(2):
            bins = bins_of(z[:, j], 3).numpy()
            groups = [np.flatnonzero(bins == each) for each in range(3)]
            inside = [np.mean([kernel[a, b] for a in g for b in g if a != b]) for g in groups]
            found += [
                inside[i] + inside[k] - 2 * kernel[np.ix_(groups[i], groups[k])].mean()
                for i in range(3)
                for k in range(i)
            ]
    assert float(conditional_mmd(r, Z, label, bins=3)) == pytest.approx(np.mean(found))


def test_single_numbers_have_the_discrepancy_of_the_same_points_in_a_plane():
    """Waves give what the table of all pairs gives; far outliers count as lying at the edge of what is looked at."""
    r, z, label = draw(80, 1), draw(80, 2, seed=1), torch.tensor([1.0, 0.0]).repeat_interleave(40)
    plane = torch.cat([r, 0 * r], dim=1)
    assert float(conditional_mmd(r, z, label)) == pytest.approx(float(conditional_mmd(plane, z, label)), abs=1e-6)
    far = r.clone()
    far[0] = 1e4
    assert abs(float(conditional_mmd(far, z, label) - conditional_mmd(r, z, label))) < 0.05


def test_quantile_bins_hold_equally_many_and_equal_values_together():
    assert torch.bincount(bins_of(draw(100), 5)).tolist() == [20] * 5
    assert len(bins_of(torch.tensor([0.0] * 9 + [1.0]), 5).unique()) <= 2


def test_a_discrepancy_without_two_bins_is_nothing():
    assert float(conditional_mmd(draw(4, 1), torch.zeros(4, 1).double(), torch.tensor([1.0, 1, 0, 0]))) == 0
    assert float(conditional_mmd(draw(2, 1), torch.zeros(2, 1).double(), torch.tensor([1.0, 0]))) == 0
