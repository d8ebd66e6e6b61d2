"""Whole models trained on TRL's `RewardTrainer`: its loss, its checkpoints, and the folder that comes out."""

import json
import math
import sys
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    LlamaForCausalLM,
    LlamaModel,
)
from trl import RewardConfig, RewardTrainer

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import objectives
from dehusk.core.options import Scoring
from dehusk.core.options.training import Training
from dehusk.core.tables import Pairs
from dehusk.features.measuring import declared, measure
from dehusk.fitting.classifier_folder import close_at_end_of_text
from dehusk.fitting.launching import datasets
from dehusk.fitting.objectives import Batch, penalised
from dehusk.fitting.reward_trainer import Beside, HeldOut, collate, make_trainer, score_layer, text_loss, together
from dehusk.fitting.token_pairs import token_pairs
from dehusk.fitting.trainer import CHECKPOINTS, train_model
from dehusk.rewards.checkpoints import quiet
from dehusk.rewards.rendering import Rendering
from dehusk.rewards.transformer import open_transformer

sys.path.insert(0, str(Path(__file__).parents[1] / "rewards" / "models"))

from tiny_models import CHATML, byte_tokenizer, write_language_model

BT = objectives["bt"].thing()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tiny language model."""
    return write_language_model(tmp_path_factory.mktemp("base"))


def make_pairs(count=40, seed=0, longest=6):
    rng = np.random.default_rng(seed)

    def answer(first):
        return " ".join([first, *rng.choice(["ab", "cd", "ef"], rng.integers(1, longest))])

    rows = [
        {
            "pair_id": str(i),
            "row": i + 1,
            "prompt": f"q{i}",
            "chosen": answer("yes"),
            "rejected": answer("no"),
            "weight": 1.0,
            "group": str(i),
        }
        for i in range(count)
    ]
    return Pairs(pl.DataFrame(rows))


PAIRS = make_pairs()
HELD_OUT = np.arange(len(PAIRS)) % 5 == 0


def measured(pairs):
    return measure([feature for feature in declared() if feature.name == "characters"], pairs=pairs)


def settings(base, **more):
    usual = {"train": "full", "learning_rate": 3e-3, "device": "cpu", "dtype": "float32", "looks": 2, "max_length": 128}
    return Training(embedder=str(base), **{**usual, **more})


def fit(base, folder, objective=BT, *, pairs=PAIRS, monitor=None, watch=lambda *_: None, **more):
    held_out = np.arange(len(pairs)) % 5 == 0
    return train_model(
        pairs, measured(pairs), settings(base, **more), objective,
        held_out=held_out, folder=folder, monitor=monitor, watch=watch,
    )  # fmt: skip


def weights(folder):
    return AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()


def test_the_loss_of_bt_is_that_of_trl(base, tmp_path):
    tokenizer = byte_tokenizer()
    tokens, _ = token_pairs(PAIRS, Rendering(tokenizer), foreign=PAIRS.frame["prompt"].reverse().to_list())
    with quiet():
        arguments = RewardConfig(
            output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", remove_unused_columns=False,
            gradient_checkpointing=False, dataloader_pin_memory=False, max_length=None,
        )  # fmt: skip
        ours, theirs = (
            AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
            for _ in range(2)
        )
        head = BT.build(32, 0, len(tokens))
        ((weight, bias),) = BT.layers(head)
        with torch.no_grad():
            theirs.score.weight.copy_(torch.tensor(weight))
        ours.score = score_layer(BT, head)
        none = np.empty((len(tokens), 0))
        margin = np.random.default_rng(1).random(len(tokens))
        beside = Beside(none, none, np.ones(len(tokens)), margin)
        data = datasets(tokens, HELD_OUT, foreign=False)
        options = {"args": arguments, "processing_class": tokenizer, **data}
        mine = make_trainer(
            BT, beside, HeldOut(), words=None, model=ours, data_collator=collate(tokenizer.pad_token_id), **options
        )
        plain = RewardTrainer(model=theirs, **options)
    rows = [data["train_dataset"][i] for i in (3, 0, 7)]
    batch = plain.data_collator([row | {"margin": margin[row["row"]]} for row in rows])
    plain.model.train(), mine.model.train()
    expected = plain.compute_loss(plain.model, batch)
    found = mine.compute_loss(mine.model, mine.data_collator(rows))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward(), found.backward()
    for name, value in theirs.named_parameters():
        if not name.startswith("score."):
            assert torch.allclose(value.grad, ours.get_parameter(name).grad, atol=1e-6), name
    # TRL's own numbers of the batch are those of TRL, the head's constant apart
    for name in ("accuracy", "margin"):
        assert mine._metrics["train"][name] == pytest.approx(plain._metrics["train"][name], abs=1e-5)
    assert mine._metrics["train"]["mean_reward"][0] - float(bias[0]) == pytest.approx(
        plain._metrics["train"]["mean_reward"][0], abs=1e-5
    )


@pytest.mark.parametrize("train", ["full", "lora"])
def test_a_preference_is_learnt_and_the_folder_needs_nothing_of_ours(base, tmp_path, train):
    folder = tmp_path / "model"
    trained = fit(base, folder, train=train, epochs={"full": 4, "lora": 8}[train])
    assert (trained.chosen > trained.rejected).mean() > 0.8
    assert trained.pairs == 32 and list(trained.rows) == list(np.flatnonzero(HELD_OUT))
    assert trained.steps == {"full": 16, "lora": 32}[train]

    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    assert not any(path.suffix in (".bin", ".pt", ".pth") for path in folder.rglob("*"))
    assert not (folder / CHECKPOINTS).exists()

    tokenizer, model = AutoTokenizer.from_pretrained(folder), weights(folder)
    assert config["pad_token_id"] == tokenizer.pad_token_id is not None
    sides = []
    for side in ("chosen", "rejected"):
        texts = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": asked}, {"role": "assistant", "content": said}], tokenize=False
            )
            for asked, said in PAIRS.frame.select("prompt", side).iter_rows()
        ]
        with torch.inference_mode():
            padded = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
            sides.append(model(**padded).logits[:, 0].double().numpy())
    ours = open_transformer(None, str(folder), replace(Scoring(), device="cpu", dtype="float32"))
    prompts = PAIRS.frame["prompt"].to_list()
    for side, plain in zip(("chosen", "rejected"), sides, strict=True):
        assert ours.score(prompts, PAIRS.frame[side].to_list()) == pytest.approx(plain, abs=1e-5)
    # what the trainer said of the held-out pairs is what the folder says
    assert trained.chosen == pytest.approx(sides[0][trained.rows], abs=1e-4)
    assert trained.rejected == pytest.approx(sides[1][trained.rows], abs=1e-4)


def test_trl_reads_the_folder_as_its_own_and_trains_on(base, tmp_path):
    folder = tmp_path / "model"
    fit(base, folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), weights(folder)
    tokens, _ = token_pairs(PAIRS, Rendering(tokenizer))
    talk, plain = {}, {}
    for side in ("chosen", "rejected"):
        talk[side] = [
            [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
            for asked, said in PAIRS.frame.select("prompt", side).iter_rows()
        ]
        texts = tokenizer.apply_chat_template(talk[side], tokenize=False)
        with torch.inference_mode():
            each = [model(**tokenizer(text, add_special_tokens=False, return_tensors="pt")) for text in texts]
        plain[side] = np.array([one.logits.item() for one in each])
    with quiet():
        arguments = RewardConfig(
            output_dir=str(tmp_path / "more"), use_cpu=True, bf16=False, report_to="none", max_steps=1,
            learning_rate=1e-2, dataloader_pin_memory=False, disable_tqdm=True, save_strategy="no",
        )  # fmt: skip
        data = Dataset.from_dict(talk)
        trainer = RewardTrainer(model=str(folder), args=arguments, train_dataset=data, eval_dataset=data)
    assert [row["chosen_ids"] for row in trainer.train_dataset] == tokens.chosen
    assert [row["rejected_ids"] for row in trainer.train_dataset] == tokens.rejected
    with torch.inference_mode():
        batch = trainer.data_collator([*trainer.train_dataset])
        theirs = trainer.model.eval()(**batch).logits[:, 0].double().numpy()
    assert theirs == pytest.approx(np.concatenate([*plain.values()]), abs=1e-5)
    start = weights(folder).state_dict()
    with quiet():
        read = trainer.evaluate()
        trainer.train()
    assert read["eval_margin"] == pytest.approx(
        (plain["chosen"] - plain["rejected"]).mean(), abs=1e-5
    )  # 5 full batches
    assert trainer.state.global_step == 1
    assert (trainer.model.score.weight - start["score.weight"]).abs().max() > 1e-3
    assert all(torch.equal(value, start[name]) for name, value in weights(folder).state_dict().items())


def language_model(folder):
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


class Killed(Exception):
    pass


def killed_and_resumed(base, folder, objective, train):
    """Weights of a run of 8 steps, a checkpoint every other, and of one that was killed at the fifth and went on."""
    more = {"train": train, "epochs": 2, "looks": 4}
    fit(base, folder / "whole", objective, **more)

    def kill(_, done, steps):
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        fit(base, folder / "killed", objective, watch=kill, **more)
    with pytest.raises(InputError, match="--resume"):
        fit(base, folder / "killed", objective, **more)
    with pytest.raises(InputError, match="another run"):
        fit(base, folder / "killed", objective, **more, resume=True, seed=1)
    steps = []
    fit(base, folder / "killed", objective, **more, resume=True, watch=lambda _, done, __: steps.append(done))
    assert steps == [5, 6, 7, 8]
    return [weights(folder / name).state_dict() for name in ("whole", "killed")]


@pytest.mark.parametrize(
    ("train", "name"),
    [("full", "bt"), ("full", "correlation"), ("lora", "correlation"), ("lora", "dir"), ("full", "jtt")],
)
def test_a_run_that_was_killed_goes_on_to_the_same_weights(base, tmp_path, train, name):
    whole, resumed = killed_and_resumed(base, tmp_path, objectives[name].thing(), train)
    start = {place: value for place, value in language_model(base).state_dict().items() if "lm_head" not in place}
    assert max((whole[place] - value).abs().max().item() for place, value in start.items()) > 1e-3
    assert not [place for place, value in whole.items() if not torch.equal(value, resumed[place])]


def test_a_run_that_forgot_the_pairs_of_its_penalty_would_go_on_to_others(base, tmp_path, monkeypatch):
    """The test above can fail: the queue is part of what a checkpoint must hold."""

    def forgetful(size, width):
        queue = torch.nn.Module()
        queue.register_buffer("rows", torch.zeros(size, width), persistent=False)
        queue.register_buffer("count", torch.zeros((), dtype=torch.long), persistent=False)
        return queue

    monkeypatch.setattr(penalised, "empty_queue", forgetful)
    whole, resumed = killed_and_resumed(base, tmp_path, objectives["correlation"].thing(), "lora")
    assert any(not torch.equal(value, resumed[place]) for place, value in whole.items())


@dataclass(frozen=True, kw_only=True)
class Accompanied(type(BT)):
    """Plain Bradley–Terry beside a network that it keeps from the optimiser."""

    def build(self, dimensions, features, pairs):
        head = super().build(dimensions, features, pairs)
        head["side"] = torch.nn.Linear(2, 2).requires_grad_(False)
        return head

    def terms(self, head, batch, progress):
        asking = {name for name, value in head.named_parameters() if value.requires_grad}
        assert asking and all(name.startswith("reward.") for name in asking)
        return super().terms(head, batch, progress)


@pytest.mark.parametrize("train", ["full", "lora"])
def test_what_an_objective_trains_by_itself_is_left_to_it(base, tmp_path, train):
    def kill(_, done, steps):
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        fit(base, tmp_path / "model", Accompanied(), train=train, watch=kill, looks=4)
    fit(base, tmp_path / "model", Accompanied(), train=train, resume=True, looks=4)


def test_the_seed_decides_the_weights(base, tmp_path):
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        fit(base, tmp_path / name, seed=seed)
    one, same, other = (weights(tmp_path / name).score.weight for name in ("one", "same", "other"))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_what_is_too_long_is_counted_and_cut_as_it_is_at_use(base, tmp_path):
    pairs = make_pairs(20, longest=12)
    tokenizer = byte_tokenizer()
    whole = Rendering(tokenizer)
    sizes = {
        side: np.array([len(row) for row in whole.ids([whole.text(*texts) for texts in rows])])
        for side in ("chosen", "rejected")
        for rows in [pairs.frame.select("prompt", side).iter_rows()]
    }
    limit = int(np.median(sizes["chosen"]))
    assert 0 < (sizes["rejected"] > limit).sum() < 20
    tokens, lengths = token_pairs(pairs, replace(whole, max_length=limit))
    assert (lengths.chosen, lengths.rejected) == tuple(int((size > limit).sum()) for size in sizes.values())
    assert lengths.either == int(((sizes["chosen"] > limit) | (sizes["rejected"] > limit)).sum())
    assert len(tokens) == 20 and max(map(len, tokens.chosen)) == limit
    assert all(row[-1] == whole.ids(["\n"])[0][-1] for row in tokens.chosen)  # the end of the template is kept

    dropped, lengths = token_pairs(pairs, replace(whole, max_length=limit), "drop")
    assert len(dropped) == 20 - lengths.either
    said = lengths.notes()[0].render()
    assert f"{lengths.either} of 20 pairs are longer than {limit} tokens" in said and "left out" in said
    held_out = np.arange(20) % 5 == 0
    spared, _ = token_pairs(pairs, replace(whole, max_length=limit), "drop", stay=held_out)
    assert set(np.flatnonzero(held_out)) <= set(spared.rows.tolist())

    trained = fit(base, tmp_path / "model", pairs=pairs, max_length=limit)
    assert trained.lengths == replace(lengths, dropped=False) and trained.pairs == 16
    assert any("lost their beginning" in note.render() for note in trained.notes)
    assert any("开头被截掉" in note.render("zh") for note in trained.notes)
    with pytest.raises(NotEnoughData):
        token_pairs(pairs, replace(whole, max_length=3), "drop")


def test_pairs_of_the_same_tokens_are_left_out_and_said():
    frame = make_pairs(4).frame.with_columns(
        chosen=pl.when(pl.col("row") == 2).then(pl.lit("same")).otherwise("chosen"),
        rejected=pl.when(pl.col("row") == 2).then(pl.lit("same")).otherwise("rejected"),
    )
    tokens, lengths = token_pairs(Pairs(frame), Rendering(byte_tokenizer()))
    assert tokens.rows.tolist() == [0, 2, 3] and lengths.identical == 1
    assert "teach nothing" in lengths.notes()[0].render()


def test_plain_text_ends_in_the_token_that_trl_appends():
    tokenizer = byte_tokenizer(template=None)
    join = "{prompt} {response}"
    tokens, _ = token_pairs(PAIRS, Rendering(tokenizer, join))
    for row, (prompt, chosen) in zip(tokens.chosen, PAIRS.frame.select("prompt", "chosen").iter_rows(), strict=True):
        assert row == tokenizer(f"{prompt} {chosen}")["input_ids"] + [tokenizer.eos_token_id]


def test_a_head_that_no_standard_folder_holds_is_refused_before_training(base, tmp_path):
    watched = []
    with pytest.raises(InputError, match=r"2 layers.*as of .*bt.*--train heads"):
        fit(base, tmp_path / "model", replace(BT, hidden=4), watch=lambda *words: watched.append(words))
    assert not watched and not (tmp_path / "model").exists()


@dataclass(frozen=True, kw_only=True)
class Recording(type(BT)):
    """Plain Bradley–Terry that notes what it is given."""

    def __post_init__(self):
        object.__setattr__(self, "batches", [])
        object.__setattr__(self, "steps", [])

    def before(self, head, batch, progress):
        assert not any(
            getattr(batch, item.name).requires_grad for item in fields(batch) if getattr(batch, item.name) is not None
        )

    def terms(self, head, batch, progress):
        self.batches.append(batch)
        self.steps.append(progress)
        return super().terms(head, batch, progress)


def test_every_objective_trains_a_whole_model_or_says_that_it_cannot(base, tmp_path):
    pairs, trained = make_pairs(10), []
    for row in objectives:
        objective = row.thing()
        if len(objective.layers(objective.build(2, 1, 2))) > 1:
            with pytest.raises(InputError, match="no standard classifier"):
                fit(base, tmp_path / row.name, objective, pairs=pairs)
            continue
        fit(base, tmp_path / row.name, objective, pairs=pairs, train="lora", looks=1, lora_rank=2)
        assert torch.isfinite(weights(tmp_path / row.name).score.weight).all()
        trained.append(row.name)
    assert {"bt", "correlation", "odin", "dir", "grm", "neutral_ties"} <= set(trained)


def test_features_weights_and_margins_come_with_their_rows(base, tmp_path):
    rng = np.random.default_rng(3)
    frame = PAIRS.frame.with_columns(
        weight=pl.Series(rng.uniform(0.5, 2, len(PAIRS))), margin=pl.Series(rng.uniform(0, 1, len(PAIRS)))
    )
    seen = Recording()
    fit(base, tmp_path / "model", seen, pairs=Pairs(frame))
    used = frame.filter(pl.Series(~HELD_OUT))
    sizes = used.select(pl.col("chosen", "rejected").str.len_chars()).to_numpy().astype(float)
    even = sizes - np.median(sizes)  # no answer may outweigh all others
    even = np.tanh(even / np.sqrt((even**2).mean()))
    standard = (even - even.mean()) / even.std()
    weight = used["weight"].to_numpy() / used["weight"].mean()
    rows = torch.cat([batch.row for batch in seen.batches]).tolist()
    assert sorted(rows) == list(range(32)) and rows != sorted(rows)
    assert seen.steps == [0, 0.25, 0.5, 0.75]
    for batch in seen.batches:
        row = batch.row.numpy()
        assert batch.chosen.requires_grad and batch.chosen.dtype == torch.float32
        assert batch.chosen_features[:, 0].numpy() == pytest.approx(standard[row, 0], abs=1e-5)
        assert batch.rejected_features[:, 0].numpy() == pytest.approx(standard[row, 1], abs=1e-5)
        assert batch.weight.numpy() == pytest.approx(weight[row], abs=1e-5)
        assert batch.margin.numpy() == pytest.approx(used["margin"].to_numpy()[row], abs=1e-6)
        assert batch.foreign_chosen is None and batch.text_loss is None


def test_foreign_prompts_and_the_likelihood_of_answers_come_where_they_are_asked_for(base, tmp_path, monkeypatch):
    row = replace(objectives["bt"], thing=Recording, options={"needs": ("foreign", "text")})
    monkeypatch.setitem(objectives._rows, "recording", row)
    seen = Recording()
    fit(base, tmp_path / "model", seen, learning_rate=1e-12)
    tokenizer, model = byte_tokenizer(), language_model(base)
    assert close_at_end_of_text(tokenizer)
    used = PAIRS.frame.filter(pl.Series(~HELD_OUT))
    rendering = Rendering(tokenizer)
    for place, row in enumerate(seen.batches[0].row.tolist()):
        asked, said = used["prompt"][row], used["chosen"][row]
        ids, start = rendering.ids([rendering.text(asked, said)])[0], len(rendering.ids([rendering.opening(asked)])[0])
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0]
        each = [-logits[at - 1].log_softmax(0)[ids[at]].item() for at in range(start, len(ids))]
        assert seen.batches[0].text_loss[place].item() == pytest.approx(np.mean(each), rel=1e-4)
        own, other = seen.batches[0].chosen[place], seen.batches[0].foreign_chosen[place]
        assert not torch.allclose(own, other, atol=1e-3)


def test_the_likelihood_of_answers_against_brute_force():
    torch.manual_seed(0)
    states, words = torch.randn(4, 6, 3), torch.randn(5, 3)
    ids, mask = torch.randint(5, (4, 6)), torch.tensor([[1] * 6, [1, 1, 1, 1, 0, 0], [1] * 6, [1] * 6])
    found = text_loss(states, words, ids, mask, torch.tensor([2, 3]))
    for row, (length, answer) in enumerate(((6, 2), (4, 3))):
        each = [
            -(states[row, at - 1] @ words.T).log_softmax(0)[ids[row, at]].item()
            for at in range(length - answer, length)
        ]
        assert found[row].item() == pytest.approx(np.mean(each), rel=1e-5)


def test_the_monitor_hears_of_the_held_out_pairs_and_stops_the_run(base, tmp_path):
    heard = []

    def monitor(step, chosen, rejected, log, foreign):
        heard.append((step, chosen, rejected, log, foreign))
        return step >= 4

    trained = fit(base, tmp_path / "model", monitor=monitor, epochs=2, looks=4)
    assert [step for step, *_ in heard] == [2, 4] and trained.steps == 4
    assert all(len(side) == 8 for _, *sides, log, foreign in heard for side in (*sides, foreign))
    assert {"loss", "accuracy", "margin", "epoch"} <= set(heard[-1][3])
    assert not np.allclose(heard[-1][1] - heard[-1][2], heard[-1][4])  # another prompt, another margin


def test_at_each_look_a_held_out_text_is_scored_once_under_its_own_and_once_under_another_prompt(
    base, tmp_path, monkeypatch
):
    forward, seen, looks = LlamaModel.forward, {True: [], False: []}, []

    def counted(self, input_ids=None, **more):
        seen[self.training] += [tuple(row[row != 0].tolist()) for row in input_ids]
        return forward(self, input_ids=input_ids, **more)

    monkeypatch.setattr(LlamaModel, "forward", counted)
    fit(base, tmp_path / "model", monitor=lambda *_: looks.append(len(seen[False])), looks=2)
    held_out = 4 * int(HELD_OUT.sum())
    assert looks == [held_out, 2 * held_out]
    assert Counter(seen[False][:held_out]) == Counter(seen[False][held_out:])
    assert len(set(seen[False])) > 0.9 * held_out  # a few answers are alike
    assert len(seen[True]) == 2 * int((~HELD_OUT).sum())  # what bt has no use for is not run


class Devices:
    """Two devices, one of which is looked through: `gather` gives what both hold."""

    num_processes = 2

    def __init__(self, index, halves):
        self.process_index, self.halves = index, iter(halves)

    def gather(self, own):
        both = next(self.halves)
        assert torch.equal(own, both[self.process_index])
        return torch.cat(both)


def test_batches_of_several_devices_have_the_loss_and_the_gradient_of_one(base):
    """A correlation is no mean over devices: each sees all pairs, and the mean of their gradients is the whole one."""
    torch.manual_seed(0)
    x, z, body, head = torch.randn(8, 5), torch.randn(8, 1), torch.randn(5, 3), torch.randn(3)

    def batch(points, features):
        rows = torch.arange(len(points) // 2)
        half = len(rows)
        return Batch(points[:half], points[half:], features[:half], features[half:], torch.ones(half), rows)

    def penalty(found, w):
        rewards, features = (
            torch.cat([found.chosen, found.rejected]) @ w,
            torch.cat([found.chosen_features, found.rejected_features])[:, 0],
        )
        return torch.corrcoef(torch.stack([rewards, features]))[0, 1] ** 2

    def run(rows, shared=None):
        b, w = body.clone().requires_grad_(), head.clone().requires_grad_()
        found = batch(x[rows] @ b, z[rows])
        loss = penalty(found if shared is None else together(shared(found), found), w)
        loss.backward()
        return loss.item(), b.grad, w.grad

    order = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7])
    whole = run(order)
    parts = [order[[0, 1, 4, 5]], order[[2, 3, 6, 7]]]  # pairs 0 and 1, pairs 2 and 3
    plain = [batch(x[rows] @ body, z[rows]) for rows in parts]
    names = [item.name for item in fields(Batch) if getattr(plain[0], item.name) is not None]
    halves = [[getattr(part, name) for part in plain] for name in names]
    losses, bodies, heads = zip(
        *(run(rows, lambda _, i=i: Devices(i, halves)) for i, rows in enumerate(parts)), strict=True
    )
    assert losses == pytest.approx([whole[0]] * 2, rel=1e-5)
    assert torch.allclose(sum(bodies) / 2, whole[1], atol=1e-6)
    assert torch.allclose(sum(heads) / 2, whole[2], atol=1e-6)
    alone = np.mean([run(rows)[0] for rows in parts])
    assert not math.isclose(alone, whole[0], rel_tol=1e-2)  # which is what a mean over devices would have been


def test_openrlhf_reads_the_reward_where_trl_does(base, tmp_path):
    """OpenRLHF strips line feeds, makes sure of the closing token, and reads at the last token of a left-padded row."""
    trained = fit(base, tmp_path / "model")
    assert any("same token" in note.render() for note in trained.notes)
    tokenizer, model = AutoTokenizer.from_pretrained(tmp_path / "model"), weights(tmp_path / "model")
    talk = [{"role": "user", "content": "q\n"}, {"role": "assistant", "content": "yes ab\n"}]
    text = tokenizer.apply_chat_template(talk, tokenize=False)
    plain, before = (each.apply_chat_template(talk, tokenize=False) for each in (tokenizer, byte_tokenizer()))
    assert plain == before.rstrip("\n") != before
    asking = [each.apply_chat_template(talk[:1], tokenize=False, add_generation_prompt=True) for each in (
        tokenizer, byte_tokenizer(),
    )]  # fmt: skip
    assert asking[0] == asking[1]
    theirs = text.rstrip("\n")
    assert theirs.endswith(tokenizer.eos_token)
    ids = torch.tensor([tokenizer(theirs, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        last = model.score(model.model(ids).last_hidden_state[:, -1]).item()
        ours = model(**tokenizer(text, add_special_tokens=False, return_tensors="pt")).logits.item()
    assert last == pytest.approx(ours, abs=1e-5)


def test_the_pad_token_is_one_that_no_text_ends_in(base, tmp_path):
    """Else the closing token would be taken for padding, and the reward read before it."""
    folder = tmp_path / "base"
    language_model(base).save_pretrained(folder)
    tokenizer = byte_tokenizer(pad="<|im_end|>", template=CHATML.replace("<|im_end|>\n", "<|im_end|>"))
    tokenizer.save_pretrained(folder)
    fit(folder, tmp_path / "model")
    saved = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert saved.pad_token_id != saved.eos_token_id
    model = weights(tmp_path / "model")
    assert model.config.pad_token_id == saved.pad_token_id
    rendering = Rendering(saved)
    (ids,) = rendering.ids([rendering.text("q", "yes ab")])
    assert ids[-1] == saved.eos_token_id
    with torch.inference_mode():
        whole, headless = (model(torch.tensor([row])).logits.item() for row in (ids, ids[:-1]))
    assert whole != pytest.approx(headless, abs=1e-3)


def test_an_encoder_and_an_adapter_are_refused(base, tmp_path):
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    folder, tokenizer = tmp_path / "bert", byte_tokenizer()
    BertForSequenceClassification(BertConfig(vocab_size=300, num_labels=1, **shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match="head of its own making"):
        fit(folder, tmp_path / "model")
    (base_copy := tmp_path / "adapter").mkdir()
    (base_copy / "adapter_config.json").write_text("{}", "utf-8")
    (base_copy / "adapter_model.safetensors").write_bytes((base / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="merge it"):
        fit(base_copy, tmp_path / "model")


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"epochs": -1.0}, {"held_out": 1.0}, {"looks": 0}])
def test_settings_that_train_nothing_are_refused(wrong):
    with pytest.raises(InputError, match=f"--{next(iter(wrong)).replace('_', '-')}"):
        Training(**wrong).check_training()


@pytest.mark.parametrize("train", ["full", "lora"])
def test_a_reward_model_is_trained_further_from_its_own_head(base, tmp_path, train):
    fit(base, tmp_path / "first")
    again = fit(tmp_path / "first", tmp_path / "second", train=train, learning_rate=1e-9)
    first, second = (weights(tmp_path / name).score.weight.detach() for name in ("first", "second"))
    torch.testing.assert_close(second, first, atol=1e-5, rtol=1e-4)
    assert "training.own_head" in {note.key for note in again.notes}
    assert "training.own_head" not in {note.key for note in fit(base, tmp_path / "third").notes}


def test_a_head_of_two_layers_starts_anew_and_says_so(base, tmp_path):
    fit(base, tmp_path / "first")
    again = fit(tmp_path / "first", tmp_path / "second", objectives["inform"].thing())
    assert "training.new_head" in {note.key for note in again.notes}


def test_what_a_bases_rewards_were_normalised_by_is_not_handed_down(base, tmp_path):
    fit(base, tmp_path / "first")
    config = json.loads((tmp_path / "first" / "config.json").read_text())
    (tmp_path / "first" / "config.json").write_text(json.dumps(config | {"mean": 3.0, "std": 2.0}))
    fit(tmp_path / "first", tmp_path / "second")
    assert not {"mean", "std"} & set(json.loads((tmp_path / "second" / "config.json").read_text()))
