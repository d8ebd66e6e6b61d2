"""`implicit:` against log-probabilities written out with plain transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_models import byte_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from dehusk.core.errors import InputError
from dehusk.rewards.implicit import open_implicit

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

PROMPTS = ["Why?", "Why?", "Name a river, please.", "", "用一句话介绍北京。"] + ["A longer question " * 8] * 4
ANSWERS = ["Because.", "I do not know", "The Nile", "x", "北京是首都。", *("answer " * n for n in (1, 5, 20, 40))]


def log_probability(model, tokenizer, asked: str, said: str) -> float:
    """Σ log π of the tokens after the prompt, one text at a time."""
    turns = [{"role": "user", "content": asked}]
    head = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": said}], tokenize=False)
    ids = tokenizer(whole, return_tensors="pt", add_special_tokens=False)["input_ids"]
    start = len(tokenizer(head, add_special_tokens=False)["input_ids"])
    with torch.no_grad():
        logits = model(ids).logits[0].log_softmax(-1)
    return sum(logits[t - 1, ids[0, t]].item() for t in range(start, ids.shape[1]))


def rewards(policy, reference, beta: float) -> list[float]:
    tokenizer = AutoTokenizer.from_pretrained(reference)
    models = [AutoModelForCausalLM.from_pretrained(folder).eval() for folder in (policy, reference)]
    return [
        beta * (log_probability(models[0], tokenizer, *pair) - log_probability(models[1], tokenizer, *pair))
        for pair in zip(PROMPTS, ANSWERS, strict=True)
    ]


@pytest.mark.parametrize("batch_tokens", [100, 4096])
def test_it_is_beta_times_the_gain_in_log_probability(causal_folder, options, batch_tokens):
    policy, reference = causal_folder(1), causal_folder(2)
    model = open_implicit(None, f"{policy},{reference}?beta=0.5", options(batch_tokens=batch_tokens))
    expected = rewards(policy, reference, 0.5)
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS), expected, atol=1e-3, rtol=1e-5)
    assert np.std(expected) > 1


def test_a_policy_is_worth_nothing_over_itself_and_swapping_turns_the_sign(causal_folder, options):
    policy, reference = causal_folder(1), causal_folder(2)
    same = open_implicit(None, f"{policy},{policy}", options())
    np.testing.assert_allclose(same.score(PROMPTS, ANSWERS), 0, atol=1e-9)
    one = open_implicit(None, f"{policy},{reference}", options())
    other = open_implicit(None, f"{reference},{policy}", options())
    np.testing.assert_allclose(one.score(PROMPTS, ANSWERS), -other.score(PROMPTS, ANSWERS), atol=1e-9)
    assert one.identity != other.identity


def test_the_reference_of_an_adapter_is_its_base(causal_folder, options, tmp_path):
    base = causal_folder(1)
    torch.manual_seed(3)
    config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    peft = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    peft.save_pretrained(tmp_path / "adapter")
    alone = open_implicit(None, str(tmp_path / "adapter"), options())
    named = open_implicit(None, f"{tmp_path / 'adapter'},{base}", options())
    peft.merge_and_unload().save_pretrained(tmp_path / "merged")
    byte_tokenizer().save_pretrained(tmp_path / "merged")
    merged = open_implicit(None, f"{tmp_path / 'merged'},{base}", options())
    assert np.std(alone.score(PROMPTS, ANSWERS)) > 0.1
    np.testing.assert_array_equal(alone.score(PROMPTS, ANSWERS), named.score(PROMPTS, ANSWERS))
    np.testing.assert_allclose(alone.score(PROMPTS, ANSWERS), merged.score(PROMPTS, ANSWERS), atol=1e-3)


@pytest.mark.parametrize("beta", ["0", "-1", "nan", "x"])
def test_a_beta_must_be_above_zero(causal_folder, options, beta):
    folder = causal_folder(1)
    with pytest.raises(InputError, match="above 0"):
        open_implicit(None, f"{folder},{folder}?beta={beta}", options())


def test_one_model_is_not_enough_and_vocabularies_must_agree(causal_folder, options):
    folder = causal_folder(1)
    with pytest.raises(InputError, match="POLICY,REFERENCE"):
        open_implicit(None, str(folder), options())
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["北京"])
    with pytest.raises(InputError, match="vocabularies"):
        open_implicit(None, f"{folder},{causal_folder(1, tokenizer=tokenizer)}", options())
