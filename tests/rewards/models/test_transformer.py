"""`hf:` against plain transformers: the same numbers for every accepted form, and no random head ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import AutoPeftModelForSequenceClassification, LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_models import byte_tokenizer, edit_json
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
)

from dehusk.core.errors import InputError
from dehusk.core.kinds import TextScorer
from dehusk.rewards import precision
from dehusk.rewards.precision import SAMPLES, TOLERANCE
from dehusk.rewards.store import Store
from dehusk.rewards.stored import Stored
from dehusk.rewards.transformer import open_transformer

# peft asks transformers by a name that is going away
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

PROMPTS = ["Why?", "Why?", "Name a river, please.", "", "用一句话介绍北京。"] * 3
ANSWERS = ["Because of " + "x" * n for n in (3, 40, 1, 120, 7)] + ["I do not know. " * n for n in range(1, 11)]


def plain_score(folder: Path, texts: list[str]) -> np.ndarray:
    """One text at a time, as the model's card would tell."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        return np.array(
            [
                model(**tokenizer(text, return_tensors="pt", add_special_tokens=False)).logits[0, 0].item()
                for text in texts
            ]
        )


def chat(folder: Path) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": asked}, {"role": "assistant", "content": said}], tokenize=False
        )
        for asked, said in zip(PROMPTS, ANSWERS, strict=True)
    ]


def test_a_sequence_classifier_scores_as_transformers_does(classifier_folder, options):
    folder = classifier_folder()
    model = open_transformer(None, str(folder), options(batch_tokens=300))
    expected = plain_score(folder, chat(folder))
    assert expected.std() > 0.1
    assert model.render(PROMPTS, ANSWERS) == chat(folder)
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS), expected, atol=1e-4)
    np.testing.assert_allclose(model.score_texts(chat(folder)), expected, atol=1e-4)
    assert isinstance(model, TextScorer)
    assert any(chat(folder)[0].replace("\n", "⏎") in note for note in model.notes)
    assert any("score.weight" in note for note in model.notes)


def test_the_prompt_is_computed_once_and_nothing_changes(classifier_folder, options):
    model = open_transformer(None, str(classifier_folder()), options())
    prompts, answers = ["p" * 200] * 8, [str(i) * (20 + 9 * i) for i in range(8)]
    whole = model.score_texts(model.render(prompts, answers))
    passes: list[int] = []
    model.network.model.register_forward_pre_hook(lambda *_: passes.append(1))
    np.testing.assert_allclose(model.score(prompts, answers), whole, atol=1e-4)
    assert len(passes) == 2  # the prompt, and the answers


def test_pad_as_end_of_text_is_read_where_training_read_it(classifier_folder, options):
    folder = classifier_folder(tokenizer=byte_tokenizer(pad="<|im_end|>"))
    model = open_transformer(None, f"{folder}?join=plain", options())
    texts = model.render(PROMPTS, ANSWERS)
    assert all(text.endswith("<|im_end|>") for text in texts)
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS), plain_score(folder, texts), atol=1e-4)
    assert model.special_ids["pad"] == model.special_ids["eos"]
    assert any("one token" in note for note in model.notes)


def test_openrlhf_reads_the_last_token_and_normalises(classifier_folder, options):
    folder = classifier_folder(tokenizer=byte_tokenizer(pad="<|im_end|>"))
    edit_json(folder / "config.json", normalize_reward=False, mean=2.0, std=4.0, architectures=["RewardModel"])
    model = open_transformer(None, str(folder), options())
    texts = model.render(PROMPTS, ANSWERS)
    assert texts == [text.rstrip("\n") for text in chat(folder)]
    backbone = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        raw = [
            backbone.score(backbone.model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, -1]).item()
            for text in texts
        ]
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS), (np.array(raw) - 2) / 4, atol=1e-4)
    assert any("normalised" in note for note in model.notes)


def test_a_value_head_beside_a_causal_model(causal_folder, options):
    folder = causal_folder(value_head=True)
    model = open_transformer(None, str(folder), options())
    head = load_file(folder / "value_head.safetensors")
    causal, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        states = [
            causal(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[-1][0, -1]
            for text in chat(folder)
        ]
    expected = [(state @ head["v_head.summary.weight"][0] + head["v_head.summary.bias"]).item() for state in states]
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS), expected, atol=1e-4)


def adapter(base: Path, target: Path, *, task: str, head: bool) -> Path:
    auto = AutoModelForSequenceClassification if task == "SEQ_CLS" else AutoModelForCausalLM
    model = auto.from_pretrained(base, **({"num_labels": 1} if task == "SEQ_CLS" else {}))
    torch.manual_seed(7)
    config = LoraConfig(
        r=4, target_modules=["q_proj", "down_proj"], task_type=task, init_lora_weights=False,
        modules_to_save=["score"] if head else None,
    )  # fmt: skip
    peft = get_peft_model(model, config)
    peft.save_pretrained(target)
    if task == "SEQ_CLS" and not head:  # peft saves the head of this task by itself; other tools do not
        names = load_file(target / "adapter_model.safetensors")
        save_file(
            {name: value for name, value in names.items() if "score" not in name}, target / "adapter_model.safetensors"
        )
    return target


def test_an_adapter_that_holds_its_head(causal_folder, options, tmp_path):
    base = causal_folder()
    folder = adapter(base, tmp_path / "adapter", task="SEQ_CLS", head=True)
    model = open_transformer("rm", str(folder), options())
    whole = AutoPeftModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    with torch.no_grad():
        expected = [whole(**tokenizer(text, return_tensors="pt")).logits[0, 0].item() for text in chat(base)]
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS), expected, atol=1e-4)
    assert model.name == "rm"


def test_an_adapter_beside_a_value_head_of_llama_factory(causal_folder, options, tmp_path):
    base = causal_folder()
    folder = adapter(base, tmp_path / "adapter", task="CAUSAL_LM", head=False)
    with pytest.raises(InputError, match="no reward head"):
        open_transformer(None, str(folder), options())
    save_file(
        {"v_head.summary.weight": torch.ones(1, 32), "v_head.summary.bias": torch.zeros(1)},
        folder / "value_head.safetensors",
    )
    plain = open_transformer(None, str(causal_folder(value_head=True)), options()).score(PROMPTS, ANSWERS)
    assert not np.allclose(open_transformer(None, str(folder), options()).score(PROMPTS, ANSWERS), plain)


def test_an_adapter_whose_base_moved_says_how_to_name_it(causal_folder, options, tmp_path):
    base = causal_folder()
    folder = adapter(base, tmp_path / "adapter", task="SEQ_CLS", head=True)
    edit_json(folder / "adapter_config.json", base_model_name_or_path="/gone/away")
    with pytest.raises(InputError, match=r"\?base=PATH"):
        open_transformer(None, str(folder), options())
    assert open_transformer(None, f"{folder}?base={base}", options()).score(["a"], ["b"]).shape == (1,)


def test_a_random_head_is_refused(causal_folder, options, tmp_path):
    folder = causal_folder()
    scores = []
    for seed in (0, 1):  # what happens elsewhere: two loads, two models
        torch.manual_seed(seed)
        scores.append(plain_score(folder, ["a text"])[0])
    assert scores[0] != scores[1]
    with pytest.raises(InputError, match="random") as refused:
        open_transformer(None, str(folder), options())
    assert "modules_to_save" in str(refused.value)
    lost = adapter(folder, tmp_path / "lost", task="SEQ_CLS", head=False)
    with pytest.raises(InputError, match="random"):
        open_transformer(None, str(lost), options())


def test_a_missing_weight_of_the_network_is_refused(classifier_folder, options):
    folder = classifier_folder()
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="at random"):
        open_transformer(None, str(folder), options())


def test_a_pickle_is_not_opened(classifier_folder, options):
    folder = classifier_folder()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickle"):
        open_transformer(None, str(folder), options())


def test_several_labels_are_no_reward(classifier_folder, options):
    folder = classifier_folder()
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] = torch.zeros(3, 32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="3 outputs"):
        open_transformer(None, str(folder), options())


@pytest.mark.parametrize("where", ["nowhere", "./nowhere", "smolm2"])
def test_no_such_folder(where, options):
    with pytest.raises(InputError, match="no such folder"):
        open_transformer(None, where, options())


def test_two_loads_agree_and_identity_tells_models_apart(classifier_folder, options):
    folder = classifier_folder()
    model = open_transformer(None, str(folder), options())
    again = model.again()
    np.testing.assert_array_equal(again.score(PROMPTS, ANSWERS), model.score(PROMPTS, ANSWERS))
    others = [
        open_transformer(None, str(classifier_folder(seed=1)), options()),
        open_transformer(None, f"{folder}?join=plain", options()),
        open_transformer(None, str(folder), options(max_length=100)),
        open_transformer(None, str(folder), options(dtype="bfloat16")),
    ]
    assert again.identity == model.identity
    assert len({other.identity for other in others} | {model.identity}) == 5


def test_a_long_text_keeps_its_end_and_is_counted(classifier_folder, options):
    model = open_transformer(None, str(classifier_folder()), options(max_length=40))
    text = model.render(["a long question " * 10], ["short answer"])[0]
    assert model.token_ids(text)[0] == model.special_ids["bos"]
    assert len(model.token_ids(text)) == 40
    model.score(["a long question " * 10, "b"], ["short answer", "c"])
    assert any("1 texts" in note for note in model.notes)


def test_bfloat16_moves_scores_by_little_and_says_so(classifier_folder, options):
    folder = classifier_folder()
    exact = open_transformer(None, str(folder), options()).score(PROMPTS, ANSWERS)
    near = open_transformer(None, str(folder), options(dtype="bfloat16")).score(PROMPTS, ANSWERS)
    assert 0 < np.abs(near - exact).max() < 0.2 * exact.std()


def test_an_encoder_is_loaded_whole_and_takes_pairs(options, tmp_path):
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *(chr(i) for i in range(97, 123)),
        *(f"##{chr(i)}" for i in range(97, 123)),
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(words), "utf-8")
    tokenizer = BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        num_labels=1, initializer_range=0.3,
    )  # fmt: skip
    whole = BertForSequenceClassification(config).eval()
    folder = tmp_path / "bert"
    whole.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    prompts, answers = ["why so", "why so", "name it"], ["because", "no idea at all really", "x"]
    with torch.no_grad():
        expected = [
            whole(**tokenizer(asked, said, return_tensors="pt")).logits[0, 0].item()
            for asked, said in zip(prompts, answers, strict=True)
        ]
    model = open_transformer(None, str(folder), options())
    np.testing.assert_allclose(model.score(prompts, answers), expected, atol=1e-4)


def test_batches_that_were_scored_before_an_interruption_are_kept(classifier_folder, options, tmp_path):
    model = open_transformer(None, str(classifier_folder()), options(batch_tokens=300))
    whole = model.score(PROMPTS, ANSWERS)
    store = Store(tmp_path / "store.sqlite")
    passes: list[int] = []

    def count(*_: object) -> None:
        passes.append(1)
        if len(passes) == 3:
            raise KeyboardInterrupt

    model.network.model.register_forward_pre_hook(count)
    with pytest.raises(KeyboardInterrupt):
        Stored(model, store).score(PROMPTS, ANSWERS)
    asked: list[int] = []
    model.in_parts = lambda prompts, answers, real=model.in_parts: asked.append(len(prompts)) or real(prompts, answers)
    np.testing.assert_allclose(Stored(model, store).score(PROMPTS, ANSWERS), whole, atol=1e-4)
    assert 0 < asked[0] < len(set(zip(PROMPTS, ANSWERS, strict=True)))


def test_the_real_one_in_the_faster_format_scores_as_in_the_exact_one(smollm2, options, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(smollm2, num_labels=1)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.score.weight)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(smollm2).save_pretrained(tmp_path)
    auto = open_transformer(None, str(tmp_path), options(dtype="auto"))
    prompts, answers = zip(*SAMPLES, strict=True)
    exact = plain_score(tmp_path, auto.render(prompts, answers))
    assert np.sqrt(np.mean((auto.score(prompts, answers) - exact) ** 2)) < TOLERANCE * exact.std()
    assert any("runs in" in note for note in auto.notes)


@pytest.mark.parametrize("tolerance", [10.0, -1.0])
def test_the_faster_format_is_kept_only_while_it_says_the_same(classifier_folder, options, monkeypatch, tolerance):
    monkeypatch.setattr(precision, "processor_prefers_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "TOLERANCE", tolerance)
    folder = classifier_folder()
    exact = open_transformer(None, str(folder), options()).score(PROMPTS, ANSWERS)
    auto = open_transformer(None, str(folder), options(dtype="auto"))
    moved = np.abs(auto.score(PROMPTS, ANSWERS) - exact).max()
    if tolerance > 0:
        assert 0 < moved < 0.2 * exact.std()
        assert any("products in bfloat16 on cpu, which is faster" in note for note in auto.notes)
    else:
        assert moved < 1e-4
        assert any("runs in float32 on cpu:" in note for note in auto.notes)
    np.testing.assert_allclose(auto.again().score(PROMPTS, ANSWERS), auto.score(PROMPTS, ANSWERS), atol=1e-6)
