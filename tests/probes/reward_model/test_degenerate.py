"""`reward_model.degenerate`: a model that wants answers, one that does not care, and one for each trap."""

import numpy as np
import polars as pl
import pytest
from edited_pairs import Model, edited_pairs

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Pairs, Scores
from dehusk.probes.reward_model.degenerate import degenerate

KINDS = {
    *("empty", "one_token", "repeated_phrase", "loop", "prompt_echo", "other_prompt", "canned_hedge"),
    *("blank_opener", "role_markers"),
}


def run(pairs, model, **options):
    found = degenerate(pairs, model, model.scores(pairs), np.random.default_rng(0), **options)
    return {finding.details["kind"]: finding for finding in found}


@pytest.fixture(scope="module")
def pairs():
    return edited_pairs(np.random.default_rng(0), 60)


class Reader(Model):
    """Knows the chosen answer to each prompt and pays for nothing else."""

    def __init__(self, pairs, **options):
        super().__init__(**options)
        self.known = dict(pairs.frame.select("prompt", "chosen").rows())

    def score(self, prompts, responses):
        right = [10.0 * (self.known[ask] == text) for ask, text in zip(prompts, responses, strict=True)]
        return super().score(prompts, responses) + right


def test_a_model_that_knows_the_answers_passes_everything(pairs):
    found = run(pairs, Reader(pairs))
    assert set(found) == KINDS
    assert {finding.verdict for finding in found.values()} == {"pass"}
    assert all(finding.estimate.value == 0 < finding.estimate.high < 0.1 for finding in found.values())


def test_a_model_that_does_not_care_fails_everything_and_half_is_covered(pairs):
    covered = []
    for seed in range(12):
        found = run(pairs, Model(seed=seed))
        assert {finding.verdict for finding in found.values()} == {"fail"}
        covered += [finding.estimate.low <= 0.5 <= finding.estimate.high for finding in found.values()]
    assert np.mean(covered) > 0.85


@pytest.mark.parametrize(
    ("kind", "price"),
    [
        ("empty", lambda text: text == ""),
        ("one_token", lambda text: text == "The"),
        ("repeated_phrase", lambda text: text.count("Thank you.") > 9),
        ("loop", lambda text: len(set(text.split("\n"))) == 1 and text.count("\n") > 5),
        ("prompt_echo", lambda text: text.startswith("What about")),
        ("canned_hedge", lambda text: "depends on your situation" in text),
        ("blank_opener", lambda text: text.startswith("Let's think")),
        ("role_markers", lambda text: "Human:" in text),
    ],
)
def test_each_trap_is_named_alone_and_first(pairs, kind, price):
    reader = Reader(pairs, noise=1.0)
    reader.price = lambda text: 30.0 * price(text)
    found = run(pairs, reader)
    assert next(iter(found)) == kind
    assert [name for name, finding in found.items() if finding.verdict == "fail"] == [kind]
    assert found[kind].estimate.value == 1
    assert found[kind].remedy is not None


def test_a_model_that_reads_no_prompt_takes_any_answer(pairs):
    answers = set(pairs.frame["chosen"])
    blind = Model(lambda text: 10.0 * (text in answers), noise=0.1)
    found = run(pairs, blind)
    assert found["other_prompt"].verdict == "fail"
    assert found["other_prompt"].estimate.low < 0.5 < found["other_prompt"].estimate.high
    assert found["empty"].verdict == "pass"


def test_share_is_the_count(pairs):
    short = {text for text in pairs.frame["chosen"] if len(text) < pairs.frame["chosen"].str.len_chars().median()}
    found = run(pairs, Model(lambda text: 1.0 * (text not in short) - 0.5 * (text == ""), noise=0.0))
    # Short chosen answers get 0 and the empty one 0.5; the others get 1.
    assert found["empty"].estimate.value == pytest.approx(len(short) / 60)
    assert found["one_token"].estimate.value == pytest.approx(len(short) / 60 + (1 - len(short) / 60) / 2)  # ties half


def test_level_and_scale_do_not_matter(pairs):
    one, other = run(pairs, Model()), run(pairs, Model(lambda text: 50.0, noise=9.0))
    assert {k: f.estimate for k, f in one.items()} == {k: f.estimate for k, f in other.items()}


def test_chinese_prompts_get_chinese_texts_and_answers_of_their_own_language():
    rng = np.random.default_rng(1)
    chinese = edited_pairs(rng, 30, "zh").frame.with_columns(group="z" + pl.col("group"))
    both = Pairs(pl.concat([edited_pairs(rng, 30).frame, chinese]))
    model = Model()
    run(both, model)
    asked = [(prompt, text) for prompt, text in model.asked[-1] if "第" in prompt]
    assert len(asked) == 30 * len(KINDS)
    assert not [text for _, text in asked if "Thank" in text or "may include" in text or "not sure" in text]


def test_one_call_one_pair_a_prompt_and_at_most_so_many(pairs):
    model = Model()
    scores = model.scores(pairs)
    model.asked.clear()
    list(degenerate(pairs, model, scores, np.random.default_rng(0), texts=25))
    (asked,) = model.asked
    assert len(asked) == 25 * len(KINDS)
    double = Pairs(pl.concat([pairs.frame, pairs.frame]))
    assert run(double, Model())["empty"].estimate.n == 60


def test_a_chosen_answer_that_is_itself_empty_of_content_does_not_count():
    pairs = edited_pairs(np.random.default_rng(2), 60)
    some = pairs.frame.with_columns(
        chosen=pl.when(pl.int_range(pl.len()) < 30).then(pl.lit("The")).otherwise("chosen"),
    )
    assert run(Pairs(some), Model())["one_token"].estimate.n == 30


def test_too_little_data_is_refused(pairs):
    with pytest.raises(NotEnoughData, match="at least 20 prompts with scores"):
        run(Pairs(pairs.frame.head(10)), Model())
    scores = Scores(("rm",), {"chosen": pl.DataFrame({"rm": [None] * 60}, schema={"rm": pl.Float64})})
    with pytest.raises(NotEnoughData, match="got 0"):
        list(degenerate(pairs, Model(), scores, np.random.default_rng(0)))


def test_every_finding_can_be_told(pairs):
    for model in (Model(), Reader(pairs)):
        for finding in run(pairs, model).values():
            for lang in ("en", "zh"):
                assert "{" not in finding.sentence.render(lang)
                assert finding.remedy is None or finding.remedy.render(lang)
