"""What a text looks like, and its tokens: BOS and EOS once, the answer kept, turns taken apart only when it is safe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import CHATML, byte_tokenizer

from dehusk.core.errors import InputError
from dehusk.rewards.rendering import JOIN, Rendering, rendering_for, turns

STRICT = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + CHATML
DIALOGUE = "System: be kind\n\nHuman: hi\n\nAssistant: hello\n\nHuman: bye"


def test_a_flattened_conversation_becomes_turns_again():
    rendering = Rendering(byte_tokenizer())
    assert rendering.text(DIALOGUE, "see you") == (
        "<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n"
        "<|im_start|>assistant\nhello<|im_end|>\n<|im_start|>user\nbye<|im_end|>\n"
        "<|im_start|>assistant\nsee you<|im_end|>\n"
    )
    hh = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: bye\n\nAssistant:"
    assert turns(hh) == [("user", "hi"), ("assistant", "hello"), ("user", "bye")]


@pytest.mark.parametrize(
    "prompt",
    [
        "a question",
        "",
        "Assistant: I speak first\n\nHuman: why?",
        "Human: twice\n\nHuman: in a row",
        "Human: and then\n\nAssistant: the answer is the last",
        "System: alone",
        "Human: hi\n\nTool: 42\n\nHuman: so?",
        "What does 'Human: hi' mean?",
    ],
)
def test_what_is_not_clearly_a_conversation_is_one_question(prompt):
    assert turns(prompt) == [("user", prompt)]


def test_a_template_without_system_messages_gets_them_in_the_first_question():
    text = Rendering(byte_tokenizer(template=STRICT)).text(DIALOGUE, "x")
    assert text.startswith("<|im_start|>user\nbe kind\n\nhi<|im_end|>")


def test_a_template_that_refuses_is_told_with_the_way_around():
    with pytest.raises(InputError, match="join=plain"):
        Rendering(byte_tokenizer(template="{{ raise_exception('never') }}")).text("a", "b")


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("template", [None, CHATML])
def test_bos_and_eos_stand_once(bos, template):
    tokenizer = byte_tokenizer(template=template, bos=bos)
    rendering = rendering_for(tokenizer, {}, None, None)
    for answer in ("an answer", "an answer<|im_end|>"):
        ids = rendering.ids([rendering.text("why", answer)])[0]
        if template is None:
            assert ids.count(2) == 1
            assert ids[-1] == 2
            assert ids.count(1) == int(bos)
        else:
            assert ids[:2].count(1) == 1
    already = rendering.ids(["<|im_start|>a"])[0]
    assert already.count(1) == 1


def test_plain_text_is_a_dialogue_or_what_the_user_says():
    tokenizer = byte_tokenizer(template=None)
    plain = rendering_for(tokenizer, {}, None, None)
    assert plain.join == JOIN
    assert plain.text("why", "so") == "Human: why\n\nAssistant: so<|im_end|>"
    assert plain.text("Human: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", "d") == (
        "Human: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d<|im_end|>"
    )
    glued = rendering_for(tokenizer, {}, "{prompt}{response}", None)
    assert glued.text("braces {response} and {x}", "so") == "braces {response} and {x}so<|im_end|>"
    with pytest.raises(InputError, match="response"):
        rendering_for(tokenizer, {}, "{prompt}", None)


@given(st.text(max_size=80), st.text(max_size=80), st.integers(1, 60), st.booleans())
def test_a_long_text_keeps_its_end_and_the_answer_begins_where_it_is_said_to(prompt, answer, length, chat):
    tokenizer = byte_tokenizer(template=CHATML if chat else None)
    whole = rendering_for(tokenizer, {}, None, None)
    cut = rendering_for(tokenizer, {}, None, length)
    [uncut], [start] = whole.parts([prompt], [answer])
    [kept], [moved] = cut.parts([prompt], [answer])
    assert len(kept) == min(length, len(uncut))
    assert kept[1:] == uncut[len(uncut) - len(kept) + 1 :]
    assert 0 <= moved < len(kept)
    if moved > 1:
        assert len(kept) - moved == len(uncut) - start
    said = tokenizer.decode(uncut[start:])
    assert said.startswith(answer[:1]) or not answer or "\ufffd" in said or answer[0] in "\r\n"


def test_the_length_is_what_the_model_was_made_for_unless_less_is_asked():
    tokenizer = byte_tokenizer()
    assert rendering_for(tokenizer, {}, None, None).max_length is None
    assert rendering_for(tokenizer, {"max_position_embeddings": 512}, None, None).max_length == 512
    assert rendering_for(tokenizer, {"max_position_embeddings": 512}, None, 100).max_length == 100
    assert rendering_for(tokenizer, {"max_position_embeddings": 512}, None, 9000).max_length == 512
