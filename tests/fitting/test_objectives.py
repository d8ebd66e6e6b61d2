"""Every objective on planted pairs: it fits, its layers are its rewards, and it does what it is there for."""

import dataclasses
import functools
import re

import numpy as np
import pytest
import torch
from planted_batches import coefficients, differences, fitted, planted, some_of
from sklearn.linear_model import LogisticRegression

from dehusk.core.errors import InputError
from dehusk.core.kinds import objectives
from dehusk.fitting.objectives.queue import Seen, empty_queue, filled_up, held, push
from dehusk.fitting.objectives.regressions import least_squares, log_odds, regression
from dehusk.fitting.objectives.side_network import ask, learn, side_network
from dehusk.rewards.heads import LinearHead

NAMES = [entry.name for entry in objectives]
# strongest coefficient of the first feature that is left, as a share of the plain one
AGAINST_FEATURES = {"correlation": 0.4, "odin": 0.4, "dir": 0.7, "mmd": 0.4, "poe": 0.4, "groupdro": 0.5, "fimi": 0.4}
HIDDEN = [name for name in NAMES if name != "bt"]


def made(name, **options):
    return objectives[name].thing(**options)


@functools.cache
def fit(name, seed=0):
    """Differences of a fit with default options, their coefficients (3,) and accuracy."""
    batch, truth = planted(seed)
    objective = made(name)
    head = fitted(objective, batch)
    difference = differences(objective, head, batch)
    return objective, head, coefficients(difference, truth), float((difference > 0).mean())


def test_the_table_holds_the_methods():
    assert set(NAMES) == {
        *("bt", "correlation", "odin", "dir", "mmd", "inform", "grm", "poe", "normbt", "groupdro", "jtt", "focal"),
        *("fimi", "neutral_ties", "interpolated_prompts", "prompt_sampling"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_its_paper_its_defaults_and_its_side_effect(name):
    entry = objectives[name]
    text = entry.thing.__doc__
    assert entry.options["paper"].split()[-1] in entry.about
    assert re.search(r"\n\n    Side effect: ", text)
    assert re.search(r"Defaults: ", text)
    for field in dataclasses.fields(entry.thing):
        assert field.default is not dataclasses.MISSING
    assert entry.thing.__dataclass_params__.frozen
    assert set(entry.options.get("needs", ())) <= {"features", "foreign", "text"}


@pytest.mark.parametrize("name", NAMES)
def test_the_planted_content_is_learnt(name):
    _, _, (_, _, content), accuracy = fit(name)
    assert content > 0.3
    assert accuracy > 0.65


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hidden", [0, 5])
def test_layers_give_the_same_rewards(name, hidden):
    batch, _ = planted(pairs=30)
    objective = made(name, hidden=hidden)
    head = fitted(objective, batch, steps=3)
    layers = objective.layers(head)
    assert len(layers) == 1 + bool(hidden)
    width = batch.chosen.shape[1]
    exported = LinearHead(np.zeros(width), np.ones(width), *zip(*layers, strict=True))
    with torch.no_grad():
        expected = objective.reward(head, batch.chosen).numpy()
    np.testing.assert_allclose(exported.rewards(batch.chosen.numpy()), expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_terms_change_nothing_and_rewards_are_not_random(name):
    batch, _ = planted(pairs=30)
    objective = made(name)
    head = fitted(objective, batch, steps=3)
    before = {key: value.clone() for key, value in head.state_dict().items()}
    objective.terms(head, batch, 0.5)
    assert all(torch.equal(value, before[key]) for key, value in head.state_dict().items() if value.isfinite().all())
    assert torch.equal(objective.reward(head, batch.chosen), objective.reward(head, batch.chosen))
    assert all(np.isfinite(value) for value in objective.readings(head).values())


@pytest.mark.parametrize("name", NAMES)
def test_a_head_that_is_loaded_goes_on_as_the_one_that_was_saved(name):
    batch, _ = planted(pairs=30)
    objective = made(name)
    head = fitted(objective, batch, steps=4)
    other = objective.build(batch.chosen.shape[1], 2, 30)
    other.load_state_dict(head.state_dict())
    for each in (head, other):
        torch.manual_seed(1)
        objective.before(each, batch, 0.6)
    losses = []
    for each in (head, other):
        torch.manual_seed(1)
        losses.append(sum(objective.terms(each, batch, 0.6).values()))
    assert torch.equal(*losses)


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_without_weight_teaches_nothing(name):
    batch, _ = planted(pairs=30)
    batch = dataclasses.replace(batch, weight=torch.zeros(30))
    objective = made(name)
    torch.manual_seed(0)
    head = objective.build(batch.chosen.shape[1], 2, 30)
    objective.before(head, batch, 0.9)
    term = next(iter(objective.terms(head, batch, 0.9).values()))
    slopes = torch.autograd.grad(term, list(head["reward"].parameters()), allow_unused=True)
    assert all(slope is None or not slope.any() for slope in slopes)


@pytest.mark.parametrize("name", NAMES)
def test_one_pair_at_a_time_is_a_batch(name):
    batch, truth = planted(pairs=60)
    objective = made(name)
    head = fitted(objective, batch, steps=40, size=1, rate=0.02)
    assert np.isfinite(coefficients(differences(objective, head, batch), truth)).all()


# What they are there for.


@pytest.mark.parametrize("name", sorted(AGAINST_FEATURES))
def test_less_is_owed_to_the_feature_than_of_a_plain_fit(name):
    for seed in (0,) if name in {"dir", "mmd", "fimi"} else (0, 1):  # the slow ones
        plain, found = fit("bt", seed)[2], fit(name, seed)[2]
        assert plain[0] > 0.4
        assert abs(found[0]) < AGAINST_FEATURES[name] * plain[0]
        assert abs(found[1]) < 0.2  # nor has the pressure moved to the feature beside it


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("correlation", {"form": form}) for form in ("plain", "partial")),
        ("correlation", {"kernel": 0.1}),
        ("correlation", {"hidden": 8}),
        ("dir", {"hidden": 8, "level": "hidden"}),
        ("dir", {"hidden": 8, "level": "hidden", "units": 8}),
        ("mmd", {"hidden": 8, "level": "hidden", "strength": 100.0}),
        ("fimi", {"units": 32, "form": "plain"}),
        ("odin", {"form": "plain", "strength": 1.0, "orthogonal": 1.0}),
    ],
)
def test_other_forms_are_against_the_feature_too(name, options):
    batch, truth = planted()
    plain = made("bt", hidden=options.get("hidden", 0))
    objective = made(name, **options)
    owed = [coefficients(differences(o, fitted(o, batch), batch), truth)[0] for o in (plain, objective)]
    assert abs(owed[1]) < 0.75 * owed[0]


@pytest.mark.parametrize("name", ["correlation", "dir", "mmd", "odin"])
def test_small_batches_keep_the_penalty(name):
    batch, truth = planted()
    plain, objective = made("bt"), made(name)
    owed = [
        coefficients(differences(o, fitted(o, batch, size=8, steps=200, rate=0.03), batch), truth)[0]
        for o in (plain, objective)
    ]
    assert abs(owed[1]) < 0.75 * owed[0]


@pytest.mark.parametrize("name", ["neutral_ties", "interpolated_prompts"])
def test_less_is_left_of_the_preference_under_a_foreign_prompt(name):
    batch, _ = planted()
    shifted = []
    for objective in (made("bt"), made(name, strength=3.0)):
        head = fitted(objective, batch)
        foreign = dataclasses.replace(batch, chosen=batch.foreign_chosen, rejected=batch.foreign_rejected)
        own, other = (differences(objective, head, each) for each in (batch, foreign))
        shifted.append((abs(np.mean(other > 0) - 0.5), np.abs(other).mean() / np.abs(own).mean()))
    assert shifted[1][0] < shifted[0][0] - 0.01
    assert shifted[1][1] < shifted[0][1]


def test_pairs_decided_without_their_prompt_count_less():
    batch, _ = planted()
    objective = made("prompt_sampling")
    head = fitted(objective, batch)
    gap = head.get_buffer("gaps").abs()
    slopes = []
    for rows in (gap.argsort()[:50], gap.argsort()[-50:]):
        part = some_of(batch, rows)
        slopes.append(objective.terms(head, part, 1.0)["likelihood"] / made("bt").likelihood(head, part))
    assert slopes[0] > 2 * slopes[1]


def test_margins_and_centring():
    batch, _ = planted()
    wide = dataclasses.replace(batch, margin=torch.full((len(batch.row),), 3.0))
    plain = made("bt")
    means = [differences(plain, fitted(plain, each), each).mean() for each in (batch, wide)]
    assert means[1] > 2 * means[0]
    raised = dataclasses.replace(batch, chosen=batch.chosen + 3, rejected=batch.rejected + 3)
    middle = [abs(rewards_of(made("bt", centring=strength), raised).mean()) for strength in (0.0, 1.0)]
    assert middle[1] < 0.05
    assert middle[0] > 0.1


def rewards_of(objective, batch):
    head = fitted(objective, batch)
    with torch.no_grad():
        return torch.cat([objective.reward(head, side) for side in (batch.chosen, batch.rejected)])


# DIR.


def at_one_pair(objective, head, batch):
    part = some_of(batch, torch.tensor([7]))
    objective.before(head, part, 1.0)
    term = objective.terms(head, part, 1.0)["information"]
    return term, torch.autograd.grad(term, list(head["reward"].parameters()))[0]


def test_the_bound_does_not_vanish_at_one_pair_a_device():
    batch, _ = planted()
    objective = made("dir")
    head = fitted(objective, batch, steps=100)
    term, slope = at_one_pair(objective, head, batch)
    assert abs(float(term.detach())) > 1e-4
    assert slope.abs().max() > 1e-4
    alone = made("dir", queue=1)  # the released code: no more than the pair itself
    head = fitted(alone, batch, steps=100, size=1)
    term, slope = at_one_pair(alone, head, batch)
    assert float(term.detach()) == 0
    assert not slope.any()


def test_q_reports_what_it_could_tell():
    _, head, *_ = fit("dir")
    found = made("dir").readings(head)
    assert found["highest_held_out_auc"] > 0.7 > found["held_out_auc"] > 0.4
    batch, _ = planted()
    mixed = torch.randperm(600, generator=torch.Generator().manual_seed(0))
    unrelated = dataclasses.replace(
        batch, chosen_features=batch.chosen_features[mixed], rejected_features=batch.rejected_features[mixed]
    )
    objective = made("dir")
    head = fitted(objective, unrelated)
    assert 0.3 < objective.readings(head)["held_out_auc"] < 0.7  # 120 pairs


def test_q_says_nothing_where_nothing_is_known():
    batch, _ = planted(pairs=30)
    tied = dataclasses.replace(batch, rejected_features=batch.chosen_features)
    objective = made("dir")
    head = fitted(objective, tied, steps=3)
    assert objective.readings(head) == {}
    assert float(objective.terms(head, tied, 1.0)["information"].detach()) == 0


def test_q_does_not_learn_from_the_pairs_it_is_tested_on():
    batch, _ = planted(pairs=50)
    swapped = torch.where((batch.row % 5 == 0)[:, None], batch.rejected_features, batch.chosen_features)
    other = dataclasses.replace(batch, chosen_features=swapped)
    heads = []
    for each in (batch, other):
        torch.manual_seed(0)
        objective = made("dir", strength=0.0)
        heads.append(objective.build(16, 2, 50))
        objective.before(heads[-1], each, 0.0)
    assert all(map(torch.equal, heads[0]["q"].parameters(), heads[1]["q"].parameters()))


# The others' own.


def test_a_pricier_bottleneck_lets_less_through():
    batch, _ = planted()
    told = [made("inform", price=price) for price in (0.001, 0.1)]
    told = [objective.readings(fitted(objective, batch)) for objective in told]
    assert told[1]["kl"] < 0.5 * told[0]["kl"]
    assert told[1]["active_dimensions"] < told[0]["active_dimensions"]


def test_the_released_bottleneck_holds_nothing_back():
    batch, _ = planted()
    told = [made("inform", price=0.1, averaged=averaged) for averaged in (False, True)]
    told = [objective.readings(fitted(objective, batch))["kl"] for objective in told]
    assert told[1] > 5 * told[0]


def test_the_second_head_starts_again_and_leans_on_errors():
    batch, _ = planted()
    objective = made("jtt", room=1.0)
    torch.manual_seed(0)
    head = objective.build(16, 2, 600)
    objective.before(head, batch, 0.0)
    first = [each.clone() for each in head["reward"].parameters()]
    wrong = differences(objective, head, batch) < 0
    objective.before(head, batch, 0.31)
    assert not torch.equal(first[0], head["reward"][0].weight)
    assert objective.readings(head)["share_counted_more"] == pytest.approx(wrong.mean(), abs=0.05)
    assert objective.terms(head, batch, 0.4)["likelihood"] > made("bt").likelihood(head, batch)


def test_the_worst_group_leads():
    _, head, *_ = fit("groupdro")
    shares = head.get_buffer("shares")
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5)
    assert shares[:2].sum() < shares[2:].sum()  # pairs whose winner has less


def test_the_curve_follows_a_bend():
    rng = np.random.default_rng(0)
    z = torch.tensor(rng.normal(size=(400, 1)), dtype=torch.float32)
    side = torch.cat([z, z**2], dim=1)
    batch, _ = planted(pairs=200)
    objective = made("fimi", warm_up=0.0)
    torch.manual_seed(0)
    head = objective.build(2, 1, 200)
    with torch.no_grad():
        head["reward"][0].weight.copy_(torch.tensor([[0.0, 1.0]]))  # a reward that no straight line explains
    bent = dataclasses.replace(
        some_of(batch, slice(0, 200)),
        chosen=side[:200],
        rejected=side[200:],
        chosen_features=z[:200],
        rejected_features=z[200:],
    )
    for _ in range(200):
        objective.before(head, bent, 0.5)
    assert objective.penalty(head, bent) > 0.9


# What cannot be.


@pytest.mark.parametrize("name", ["neutral_ties", "interpolated_prompts", "prompt_sampling"])
def test_foreign_points_are_asked_for(name):
    batch, _ = planted(pairs=10)
    batch = dataclasses.replace(batch, foreign_chosen=None, foreign_rejected=None)
    assert "foreign" in objectives[name].options["needs"]
    with pytest.raises(InputError, match="under another prompt"):
        fitted(made(name), batch, steps=1)


def test_a_language_model_is_asked_for():
    batch, _ = planted(pairs=10)
    with pytest.raises(InputError, match="no language model"):
        fitted(made("grm"), dataclasses.replace(batch, text_loss=None), steps=1)


@pytest.mark.parametrize("name", [n for n in NAMES if "features" in objectives[n].options.get("needs", ())])
def test_features_are_asked_for(name):
    with pytest.raises(InputError, match="without any feature"):
        made(name).build(16, 0, 10)


@pytest.mark.parametrize("name", [n for n in NAMES if "features" not in objectives[n].options.get("needs", ())])
def test_others_do_without_features(name):
    batch, _ = planted(pairs=10)
    bare = torch.zeros(10, 0)
    fitted(made(name), dataclasses.replace(batch, chosen_features=bare, rejected_features=bare), steps=2)


@pytest.mark.parametrize("name", ["dir", "mmd"])
def test_a_penalty_must_have_something_to_change(name):
    batch, _ = planted(pairs=10)
    with pytest.raises(InputError, match="no hidden layer"):
        made(name, level="hidden").build(16, 2, 10)
    with pytest.raises(InputError, match="changes nothing"):
        fitted(made(name, level="points"), batch, steps=1)
    trained = dataclasses.replace(batch, chosen=batch.chosen.requires_grad_(), rejected=batch.rejected.requires_grad_())
    objective = made(name, level="points", warm_up=0.0)
    head = objective.build(16, 2, 10)
    objective.before(head, trained, 0.0)
    term = objective.terms(head, trained, 0.5)[objective.term]
    assert torch.autograd.grad(term, trained.chosen)[0].any()


# The queue and the network beside the head.


def test_a_queue_holds_the_newest_rows_and_fills_up_a_batch():
    queue = empty_queue(4, 1)
    for first in range(0, 6, 2):
        push(queue, torch.tensor([[first], [first + 1.0]]))
    assert sorted(held(queue)[:, 0].tolist()) == [2, 3, 4, 5]
    assert filled_up(queue, torch.tensor([[4.0], [5.0]]))[:, 0].tolist() == [2, 3, 4, 5]
    large = torch.arange(9.0)[:, None]
    push(queue, large)
    assert torch.equal(filled_up(queue, large), large)
    assert sorted(held(queue)[:, 0].tolist()) == [5, 6, 7, 8]


def test_a_small_batch_has_the_slope_of_a_large_one_on_average():
    x = torch.arange(1.0, 9.0)[:, None]
    scale = torch.ones(1, requires_grad=True)

    def slope(rows):
        return float(torch.autograd.grad((rows**2).mean(), scale)[0])

    found = []
    for i in range(8):
        queue = empty_queue(8, 1)
        push(queue, torch.cat([x[:i], x[i + 1 :]]))
        push(queue, x[i : i + 1])
        found.append(slope(filled_up(queue, x[i : i + 1] * scale)))
    assert np.mean(found) == pytest.approx(slope(x * scale))


def test_what_is_seen_is_what_was_packed():
    parts = [torch.rand(3, 2), torch.rand(3, 2), torch.rand(3), torch.rand(3, 4), torch.rand(3, 4), torch.arange(3)]
    again = Seen.unpack(Seen(*parts).packed(), 4)
    assert all(torch.allclose(part.float(), found) for part, found in zip(parts, vars(again).values(), strict=True))


def test_a_network_beside_learns_as_it_does_under_adam():
    torch.manual_seed(0)
    side = side_network(3, 4, 1)
    twin = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    twin.load_state_dict({key: value for key, value in side.state_dict().items() if key[0].isdigit()})
    adam = torch.optim.Adam(twin.parameters(), lr=0.01, betas=(0.5, 0.99))
    x, y = torch.randn(20, 3), torch.randn(20, 1)
    for _ in range(5):
        learn(side, lambda apply: ((apply(x) - y) ** 2).mean(), rate=0.01)
        adam.zero_grad()
        ((twin(x) - y) ** 2).mean().backward()
        adam.step()
    assert torch.allclose(ask(side, x), twin(x), atol=1e-5)
    assert not ask(side, x).requires_grad


def test_mixing_rewards_is_mixing_points_for_a_linear_head():
    """What is saved for a linear head changes nothing: the mixtures are those of the points."""
    batch, _ = planted(0)
    objective = made("interpolated_prompts")
    head = fitted(objective, batch)
    for share, difference in zip(objective.shares, objective._mixed(head, batch), strict=True):
        chosen, rejected = (
            share * own + (1 - share) * other
            for own, other in ((batch.chosen, batch.foreign_chosen), (batch.rejected, batch.foreign_rejected))
        )
        whole = objective.reward(head, chosen) - objective.reward(head, rejected)
        torch.testing.assert_close(difference, whole, rtol=1e-4, atol=1e-5)


def test_a_regression_is_solved_as_others_solve_it():
    x, y, weight = (torch.tensor(np.random.default_rng(i).normal(size=(200, m))) for i, m in enumerate((3, 2, 1)))
    weight, label = weight[:, 0].abs(), (y[:, 0] > 0).double()
    given = torch.cat([x, label[:, None], 1 - label[:, None]], dim=1) * weight.sqrt()[:, None]
    slopes = np.linalg.lstsq(given.numpy(), (y * weight.sqrt()[:, None]).numpy(), rcond=None)[0][:3]
    np.testing.assert_allclose(least_squares(x, y, label, weight).numpy(), x.numpy() @ slopes, atol=0.01)

    layer = regression(3, 2).double()
    known = torch.stack([weight, torch.ones(200)], dim=1)
    labels = (x @ x.new_tensor([[1.0, 0.0], [-2.0, 1.0], [0.0, 0.0]]) + y > 0).double()
    for _ in range(3):
        log_odds(layer, x, labels, known)
    for k in range(2):
        oracle = LogisticRegression(C=1 / float(0.01 * known[:, k].sum()), tol=1e-10, intercept_scaling=1e3)
        oracle.fit(x.numpy(), labels[:, k].numpy(), sample_weight=known[:, k].numpy())
        np.testing.assert_allclose(layer.weight[k].numpy(), oracle.coef_[0], atol=0.02)


def test_a_label_that_two_pairs_have_is_hardly_told():
    """They can be told apart for certain, which would make log odds of 3.4 of them and a head swing about q."""
    layer, x = regression(1, 1), torch.tensor([[1.0], [-1.0], *[[0.3], [-0.3]] * 50])
    known = torch.zeros(102, 1)
    known[:2] = 1
    for _ in range(10):
        log_odds(layer, x, (x > 0).float(), known)
    assert 0 < float(layer.weight) < 1


def confounded(seed=0, prompts=600):
    """Prompts that ask for length are those that are hard: between prompts long answers are the poor ones.

    Within a prompt length earns .5 a unit, whose label holds it; over all answers it goes with nothing.
    """
    rng = np.random.default_rng(seed)
    asked = rng.normal(size=prompts)
    length = [asked + 0.7 * rng.normal(size=prompts) for _ in range(2)]
    merit = [rng.normal(size=prompts) for _ in range(2)]
    worth = [0.7 * z + m for z, m in zip(length, merit, strict=True)]
    first = worth[0] - worth[1] + rng.logistic(size=prompts) > 0
    sides = [np.where(first, 0, 1), np.where(first, 1, 0)]
    columns = [np.stack(pair)[side, np.arange(prompts)] for side in sides for pair in (length, merit)]
    points = [np.column_stack([columns[at], columns[at + 1], asked]) for at in (0, 2)]
    chosen, rejected = (torch.tensor(each, dtype=torch.float32) for each in points)
    batch = dataclasses.replace(
        planted(pairs=prompts)[0],
        chosen=chosen, rejected=rejected, chosen_features=chosen[:, :1], rejected_features=rejected[:, :1],
        foreign_chosen=None, foreign_rejected=None,
    )  # fmt: skip
    return batch, chosen[:, 0] - rejected[:, 0], chosen[:, 1] - rejected[:, 1]


@pytest.mark.parametrize("name", ["correlation", "odin", "fimi", "mmd"])
def test_a_penalty_holds_within_prompts_whatever_prompts_are_worth(name):
    """Answers of all prompts can be made to look even by what a prompt is worth, which no comparison ever sees."""
    batch, length, merit = confounded()
    owed = {}
    for form in ("pairs", "partial"):
        objective = made(name, form=form)
        difference = differences(objective, fitted(objective, batch), batch)
        owed[form], right = (np.corrcoef(difference, x)[0, 1] for x in (length, merit))
        assert right > 0.7
    assert abs(owed["pairs"]) < 0.1
    if name in ("correlation", "fimi"):  # the others' published forms do better here, but for no reason of theirs
        assert owed["partial"] > 0.2


@pytest.mark.parametrize("form", ["partial", "plain", "pairs"])
def test_a_drifting_constant_leaves_the_penalty_as_it_is(form):
    """While a whole model learns, all rewards may rise from step to step; remembered ones must stay of use."""
    batch, _ = planted(0)
    objective = made("correlation", form=form)

    def penalties(drift):
        torch.manual_seed(0)
        head = objective.build(batch.chosen.shape[1], batch.chosen_features.shape[1], len(batch.row))
        along = head["reward"][0].weight.detach()[0]
        found = []
        for step in range(12):
            some = some_of(batch, slice(16 * step, 16 * step + 16))
            moved = step * drift * along / along.square().sum()
            some = dataclasses.replace(some, chosen=some.chosen + moved, rejected=some.rejected + moved)
            objective.before(head, some, 1.0)
            found.append(float(objective.penalty(head, some).detach()))
        return found

    np.testing.assert_allclose(penalties(5.0), penalties(0.0), rtol=1e-2, atol=1e-3)
