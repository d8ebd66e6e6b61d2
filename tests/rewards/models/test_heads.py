"""Embeddings against plain transformers, and heads on them as reward models."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

from dehusk.core.errors import InputError
from dehusk.fitting.heads import fit_head
from dehusk.rewards.embedding import open_embedder
from dehusk.rewards.heads import LinearHead, Place, load_head, open_linear, save_head
from dehusk.rewards.store import Store

PROMPTS = ["Why?", "Why?", "Name a river, please.", "Tell me " * 40, "Tell me " * 40, "Tell me " * 40]
ANSWERS = ["Because.", "I do not know", "The Nile", "no", "yes, of course", "maybe " * 9]


@pytest.mark.parametrize(("layers", "pooling"), [((-1,), "mean"), ((1, -1), "mean"), ((-1,), "last"), ((0,), "last")])
def test_embeddings_are_pooled_hidden_states(causal_folder, options, layers, pooling):
    folder = causal_folder()
    found = open_embedder(str(folder), options(), layers=layers, pooling=pooling).embed(PROMPTS, ANSWERS)
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for row, asked, said in zip(found, PROMPTS, ANSWERS, strict=True):
        turns = [{"role": "user", "content": asked}]
        start = len(tokenizer(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))[0].ids)
        whole = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": said}], tokenize=False)
        with torch.no_grad():
            states = model(**tokenizer(whole, return_tensors="pt"), output_hidden_states=True).hidden_states
        parts = [states[layer][0, start:] for layer in layers]
        expected = torch.cat([part.mean(0) if pooling == "mean" else part[-1] for part in parts])
        np.testing.assert_allclose(row, expected.numpy(), atol=1e-4)


def test_what_the_store_knows_is_not_computed_again(causal_folder, options, tmp_path):
    folder, store = causal_folder(), Store(tmp_path / "store.sqlite")
    embedder = open_embedder(str(folder), options(), store=store)
    first = embedder.embed(PROMPTS, ANSWERS)
    passes: list[int] = []
    embedder.network.model.register_forward_pre_hook(lambda *_: passes.append(1))
    np.testing.assert_array_equal(embedder.embed(PROMPTS, ANSWERS), first)
    assert not passes
    embedder.embed([*PROMPTS, "new"], [*ANSWERS, "text"])
    assert len(passes) == 1
    assert open_embedder(str(folder), options(), layers=(1,)).identity != embedder.identity


def test_a_sentence_model_averages_all_tokens(options, tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "why", "so", "because", "no", "idea"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), "utf-8")
    tokenizer = BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.3,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    model.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    found = open_embedder(str(tmp_path / "m"), options()).embed(["why so", "why"], ["because", "no idea because so"])
    for row, pair in zip(found, [("why so", "because"), ("why", "no idea because so")], strict=True):
        with torch.no_grad():
            expected = model(**tokenizer(*pair, return_tensors="pt")).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(row, expected.numpy(), atol=1e-5)


def test_the_real_sentence_model_knows_what_is_alike(minilm, options):
    answers = ["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose sharply last year."]
    points = open_embedder(str(minilm), options()).embed([""] * 3, answers)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    alike = points @ points.T
    assert alike[0, 1] > alike[0, 2] + 0.3
    assert points.shape == (3, 384)


def test_a_saved_head_opens_as_a_reward_model(causal_folder, options, tmp_path):
    folder = causal_folder()
    place = Place(str(folder), layers=(-1,), pooling="mean", max_length=100)
    points = open_embedder(str(folder), options(max_length=100)).embed(PROMPTS, ANSWERS)
    fitted = fit_head(points[:3], points[3:], l2=1.0, rng=np.random.default_rng(0))
    save_head(tmp_path / "head", fitted.head, place)
    model = open_linear(None, str(tmp_path / "head"), options(store=str(tmp_path / "s.sqlite")))
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS), fitted.head.rewards(points), atol=1e-4)
    assert load_head(tmp_path / "head")[1] == place
    assert model.name == "head"


def test_a_small_network_has_a_relu_between_its_layers(tmp_path):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(5, 3)), rng.normal(size=(1, 5))
    head = LinearHead(np.zeros(3), np.ones(3), (first, second), (np.ones(5), np.array([2.0])))
    x = rng.normal(size=(7, 3))
    expected = np.maximum(x @ first.T + 1, 0) @ second.T + 2
    np.testing.assert_allclose(head.rewards(x), expected[:, 0])
    save_head(tmp_path, head, Place("m"))
    np.testing.assert_allclose(load_head(tmp_path)[0].rewards(x), expected[:, 0], atol=1e-5)


def test_what_is_no_head_is_refused(tmp_path):
    with pytest.raises(InputError, match="no head"):
        load_head(tmp_path)
    save_head(tmp_path, LinearHead(np.zeros(2), np.ones(2), (np.ones((1, 2)),), (np.zeros(1),)), Place("m"))
    entries = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(entries | {"dehusk_head": 9}))
    with pytest.raises(InputError, match="not that of a head"):
        load_head(tmp_path)
    with pytest.raises(InputError, match="one output"):
        LinearHead(np.zeros(2), np.ones(2), (np.ones((2, 2)),), (np.zeros(2),))
