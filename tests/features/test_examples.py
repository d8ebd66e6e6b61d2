"""Hand-made texts: what each feature counts, what it leaves alone, and what an edit moves."""

from __future__ import annotations

import zlib
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dehusk.features import declared
from dehusk.features.measuring import plan

# Examples are of the measure itself, whatever the language of the prompt.
ALL = {feature.name: replace(feature, lang="any") for feature in declared()}

COUNTS: list[tuple[str, str, float]] = [
    ("characters", "a b好", 4),
    ("words", "It's 3 cats.", 3),
    ("words", "我用Python写代码", 6),
    ("words", "well-known", 2),
    ("sentences", "One. Two! Is it 3.5? Yes", 3),
    ("sentences", "1. first item\n2. second item", 0),
    ("sentences", "That was in 2020. Then it ended.", 2),
    ("sentences", "你好。真的吗？好！", 3),
    ("paragraphs", "one\n\ntwo\n  \nthree\nstill three\n\n", 3),
    ("paragraphs", "", 0),
    ("sentence_length", "One two three. Four five six seven.", 3.5),
    ("type_token_ratio", "the cat and the dog", 0.8),
    ("type_token_ratio", "Dog dog DOG dog", 0.25),
    ("type_token_ratio", "好好学习", 0.75),
    ("bullets", "- a\n* b\n+ c\n• d\n  - e", 5),
    ("bullets", "a well-known fact\n-not a bullet\n3 - 2\n---\n**bold**", 0),
    ("bullets", "```\n- in code\n```\n- outside", 1),
    ("numbered", "1. a\n2) b\n10. c", 3),
    ("numbered", "一、甲\n二、乙\n①丙\n（1）丁\n1.戊己", 5),
    ("numbered", "3.5 GHz\n2020. That year", 0),
    ("list", "text\n1. a", 1),
    ("list", "text\n- a", 1),
    ("list", "a - b", 0),
    ("headers", "# One\n## Two\n#hashtag\n```\n# comment\n```", 2),
    ("bold", "**one** and **two** and 2 ** 3", 2),
    ("bold_labels", "**Cost:** low\n**Time**: long\n**费用：**低\n**plain**", 3),
    ("inline_code", "use `x` and `y`", 2),
    ("code_blocks", "```py\nx\n```\n\n```\ny", 2),
    ("table_rows", "| a | b |\n|---|---|\n| 1 | 2 |\na | b", 3),
    ("rules", "---\n***\n- - a\n--", 2),
    ("quote_lines", "> said\n> again\na > b", 2),
    ("links", "see https://a.org/b?c=1 and [here](https://d.org)", 2),
    ("emoji", "😀 and 👨‍👩‍👧 and 🇫🇷 and ✅", 4),
    ("emoji", "a → b, 100 °C ©", 0),
    ("latex", r"\(x\) and $x^2$ and $$y$$ and $\alpha$", 4),
    ("latex", "$5 and $10, or $5 = $10", 0),
    ("line_length", "ab\n\nabcd", 3),
    ("longest_line", "ab\n\n  abcd", 4),
    ("hedges", "It may perhaps work. Maybe.", 3),
    ("hedges", "Dismay and mighty", 0),
    ("hedges", "这可能有用，也许没用。", 2),
    ("certainty", "This is definitely, clearly so", 2),
    ("certainty", "这显然毫无疑问", 2),
    ("intensifiers", "very really good, 非常好", 3),
    ("enthusiasm", "Amazing! 太棒了", 2),
    ("praise_opener", "What a great question! Let us see", 1),
    ("praise_opener", "这是一个很好的问题。", 1),
    ("praise_opener", "你这个问题问得好", 0),
    ("praise_opener", "He asked a great question", 0),
    ("praise_opener", "Great idea: go home", 1),
    ("flattery", "You’re absolutely right, 你说得对", 2),
    ("apology", "Sorry, I apologize. 抱歉", 3),
    ("refusal", "I can’t help with that", 1),
    ("refusal", "我无法提供这些内容", 1),
    ("refusal", "You can't lose", 0),
    ("exclamations", "Wow! 好！\n```\nx != y\n```", 2),
    ("questions", "What?? Why? 吗？", 3),
    ("asks_back", "Done. Would you like more? 😊", 1),
    ("asks_back", "Why? Because.", 0),
    ("asks_back", "还需要什么吗？\n", 1),
    ("second_person", "You and your yourselves, youth", 3),
    ("second_person", "你和您", 2),
    ("first_person", "I think I'm. It", 2),
    ("first_person", "我想", 1),
    ("empathy", "I hear you. 辛苦了", 2),
    ("moralising", "That is unethical. 切勿尝试", 2),
    ("professional_advice", "Please consult a doctor; 仅供参考", 2),
    ("opener_sure", "Sure! Here", 1),
    ("opener_sure", "**Of course** we can", 1),
    ("opener_sure", "I am sure of it", 0),
    ("opener_sure", "Surely not", 0),
    ("opener_sure_zh", "当然可以，", 1),
    ("opener_sure_zh", "他当然知道", 0),
    ("opener_here", "Here’s a list", 1),
    ("opener_here", "以下是一些建议", 1),
    ("opener_here", "Look here is it", 0),
    ("good_question", "That is a good question", 1),
    ("good_question_zh", "好问题！", 1),
    ("closer_let_me_know", "Let me know if it works", 1),
    ("closer_let_me_know", "Let me knowingly", 0),
    ("closer_hope", "I hope this helps!", 1),
    ("closer_hope_zh", "希望这对你有帮助。", 1),
    ("closer_feel_free", "Feel free to ask, don’t hesitate to", 1),
    ("closer_any_time_zh", "如果您有任何问题，随时告诉我", 1),
    ("closer_offer", "Would you like me to go on?", 1),
    ("closer_offer_zh", "需要我继续吗？", 1),
    ("conclusion", "In conclusion, no.", 1),
    ("conclusion", "Overall, it works", 1),
    ("conclusion", "the overall plan", 0),
    ("conclusion_zh", "综上所述", 1),
    ("as_an_ai", "As an AI language model, I", 1),
    ("as_an_ai", "Was an airplane", 0),
    ("as_an_ai_zh", "作为一个AI，我", 1),
    ("worth_noting", "It's important to note that", 1),
    ("worth_noting_zh", "值得注意的是", 1),
    ("invitation", "Let’s dive in", 1),
    ("invitation", "让我们看看", 1),
    ("signposts", "Firstly, x. Moreover, y. Finally, z. At first", 3),
    ("signposts_zh", "首先甲，其次乙，最后丙", 3),
    ("blunt_truth", "Here's the thing: the truth is", 1),
    ("blunt_truth_zh", "说白了，一句话", 1),
    ("stock_words", "We delve into a rich tapestry; delving", 3),
    ("stock_words_zh", "为业务赋能，形成闭环", 2),
    ("not_but", "It's not a bug, it's a feature.", 1),
    ("not_but", "This isn’t magic. It’s science.", 1),
    ("not_but", "not only fast but also safe", 1),
    ("not_but", "not a cat, but a dog", 1),
    ("not_but", "It is not here. But we wait.", 0),
    ("not_but_zh", "这不是结束，而是开始。", 1),
    ("not_but_zh", "不是我。而是你。", 0),
    ("three_parts", "clear, concise, and kind", 1),
    ("three_parts", "cats and dogs, or birds", 0),
    ("three_parts", "高效、安全和可靠", 1),
    ("answered_questions", "Why? Because it works.", 1),
    ("answered_questions", "Why?\n\nIt works. a?b=c", 0),
    ("answered_questions", "为什么？因为好。", 1),
    ("em_dashes", "a — b—c——d", 3),
    ("em_dashes", "a - b – c -- d", 0),
    ("ellipses", "wait... and … so……", 3),
    ("curly_quotes", "“a” and “b”", 4),
    ("curly_apostrophes", "it’s don't", 1),
    ("full_width_marks", "so good，and yet", 1),
    ("full_width_marks", "用Python，Java等", 0),
    ("quoted_words", 'the "right" way, not "the right way"', 1),
    ("quoted_words", "所谓“内卷”", 1),
    ("asides", "a (b) and （丙）", 2),
    ("repeated_trigrams", "a b c a b c", 0.25),
    ("repeated_trigrams", "a b", 0),
    ("repeated_trigrams", "哈哈哈哈哈", 2 / 3),
    ("repeated_trigrams", "a b c c b a", 0),
    ("repeated_lines", "x\ny\n\n  x\n\nz", 0.25),
    ("compressed_size", "", 1),
    ("compressed_size", "so short", 1),
    ("compressed_size", "ab" * 600, len(zlib.compress(b"ab" * 500, 1)) / 1000),
    ("han_share", "ab 好好好", 0.75),
    ("latin_in_chinese", "ab 好好好", 0.25),
    ("latin_in_chinese", "ab cd 好", 0),
    ("off_language", "ab 好好好", 0.75),
    ("other_script", "привет ok 好", 6),
]


def value(name: str, text: str, prompt: str = "What is it?") -> float:
    return float(values(text, prompt)[name][0])


def values(text: str, prompt: str = "What is it?") -> pl.DataFrame:
    return plan(pl.LazyFrame({"prompt": [prompt], "response": [text]}), "response", ALL.values()).collect()


@pytest.mark.parametrize(("name", "text", "expected"), COUNTS)
def test_counts(name: str, text: str, expected: float) -> None:
    frame = pl.LazyFrame({"prompt": ["What is it?"], "response": [text]})
    assert plan(frame, "response", [ALL[name]]).collect()[name].cast(pl.Float64).to_list() == pytest.approx([expected])


def test_every_feature_has_an_example() -> None:
    assert {name for name, *_ in COUNTS} == set(ALL)
    assert {name for name, _, expected in COUNTS if expected} == set(ALL)


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [("你好吗", "Fine", 1), ("你好吗", "很好", 0), ("How?", "Fine", 0), ("", "Fine", 0), ("你好吗", "!", 0)],
)
def test_off_language_goes_by_the_prompt(prompt: str, response: str, expected: float) -> None:
    assert value("off_language", response, prompt) == expected


PLAIN = st.lists(
    st.sampled_from(["The cat sat.", "Rain fell all day.", "天气很好。", "猫坐着。"]), min_size=1, max_size=6
)
EDITS = [
    ("\n- a new item", "bullets", 1, {"list"}),
    ("\n3. a new item", "numbered", 1, {"list"}),
    ("\n## New heading", "headers", 1, set()),
    ("\n---", "rules", 1, set()),
    ("\n| a | b |", "table_rows", 1, set()),
    (" **strong**", "bold", 1, set()),
    (" 😀", "emoji", 1, set()),
    (" —", "em_dashes", 1, set()),
    (" It may rain.", "hedges", 1, set()),
    (" 可能。", "hedges", 1, set()),
    (" Let me know.", "closer_let_me_know", 1, set()),
    (" 总之。", "conclusion_zh", 1, set()),
    (" Wow!", "exclamations", 1, set()),
    ("\n```\n- a\n# b\nx != y\n```", "code_blocks", 1, set()),
]
SIZES = {"length", "repetition", "language"}  # whatever is appended moves these


@pytest.mark.parametrize(("added", "name", "step", "others"), EDITS)
@settings(max_examples=8, deadline=None)
@given(sentences=PLAIN)
def test_an_edit_moves_its_feature_and_nothing_else(
    added: str, name: str, step: int, others: set[str], sentences: list[str]
) -> None:
    text = " ".join(sentences)
    before, after = values(text), values(text + added)
    moved = {
        column
        for column in before.columns
        if float(before[column][0]) != float(after[column][0])
        and ALL[column].family not in SIZES
        and column not in ("line_length", "longest_line")
    }
    assert moved == {name} | others
    assert float(after[name][0]) - float(before[name][0]) == step


def test_repeating_a_text_repeats_its_counts() -> None:
    text = "- It may rain — really.\n- **So** what?\n\n"
    once, thrice = values(text), values(text * 3)
    for name, feature in ALL.items():
        if feature.unit not in ("presence", "share", "characters") and name not in ("sentence_length",):
            assert float(thrice[name][0]) == 3 * float(once[name][0]), name
