"""`scores:`, files of scores in all their forms."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dehusk.core.errors import InputError

REWRITES = Path(__file__).parents[2] / "../shared/data/benchmark/bias_counterfactual_rm_scores.parquet"
PROMPTS = [f"What is {i}?" for i in range(40)]
GOOD, BAD = [f"It is {i}." for i in range(40)], ["It"] * 40
HIGH, LOW = [i + 0.5 for i in range(40)], [-i - 1.0 for i in range(40)]
NAN = float("nan")


@pytest.fixture
def scores(opened, folder):
    """Write columns to a file, open it, look the answers up."""

    def lookup(columns, settings="", suffix="jsonl", prompts=PROMPTS * 2, responses=(*GOOD, *BAD)):
        path = folder / f"rm.{suffix}"
        frame = pl.DataFrame(columns, strict=False)
        {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[suffix](path)
        return opened(f"scores:{path}{settings}").score(prompts, responses)

    return lookup


def messages(*said):
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)]


LONG = {"prompt": PROMPTS * 2, "response": [*GOOD, *BAD], "score": [*HIGH, *LOW]}
PAIRS = {"prompt": PROMPTS, "chosen": GOOD, "rejected": BAD, "score_chosen": HIGH, "score_rejected": LOW}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize(
    ("columns", "settings"),
    [
        (LONG, ""),
        ({"question": PROMPTS * 2, "completion": [*GOOD, *BAD], "reward": [*HIGH, *LOW]}, ""),
        (PAIRS, ""),
        ({"prompt": PROMPTS, "chosen": GOOD, "rejected": BAD, "scores_chosen": HIGH, "scores_rejected": LOW}, ""),
        ({"prompt": PROMPTS, "chosen": GOOD, "rejected": BAD, "chosen_score": HIGH, "rejected_score": LOW}, ""),
        ({"p": PROMPTS, "a": GOOD, "b": BAD, "sa": HIGH, "sb": LOW, "x": LOW}, "?prompt=p&a=sa&b=sb"),
        ({"p": PROMPTS, "response": GOOD, "b&c": BAD, "score": HIGH, "s": LOW}, "?prompt=p&response=score&b%26c=s"),
        ({**LONG, "model": ["m"] * 80}, ""),
        ({**LONG, "model": ["m"] * 80}, "?model=m"),
    ],
)  # fmt: skip
def test_forms(scores, columns, settings, suffix):
    np.testing.assert_allclose(scores(columns, settings, suffix), [*HIGH, *LOW])


@pytest.mark.parametrize(
    "columns",
    [
        {
            "prompt": PROMPTS,
            "responses": list(zip(GOOD, BAD, strict=True)),
            "scores": list(zip(HIGH, LOW, strict=True)),
        },
        {
            "prompt": [messages(prompt) for prompt in PROMPTS],
            "chosen": [messages(*pair) for pair in zip(PROMPTS, GOOD, strict=True)],
            "rejected": [messages(*pair) for pair in zip(PROMPTS, BAD, strict=True)],
            "score_chosen": HIGH,
            "score_rejected": LOW,
        },
        {"prompt": PROMPTS * 2, "response": [messages("", text) for text in (*GOOD, *BAD)], "score": [*HIGH, *LOW]},
        {
            "prompt": PROMPTS,
            "text_chosen": [messages(*pair) for pair in zip(PROMPTS, GOOD, strict=True)],
            "text_rejected": [messages(*pair) for pair in zip(PROMPTS, BAD, strict=True)],
            "scores_chosen": [[score] for score in HIGH],
            "scores_rejected": [[score] for score in LOW],
        },
    ],
)
def test_lists_and_messages(scores, columns):
    np.testing.assert_allclose(scores(columns), [*HIGH, *LOW])


def rewardbench(prompt, response):
    return f"<|user|>\n{prompt}<|end|>\n<|assistant|>\n{response}<|end|>\n"


def test_rewardbench_outputs_hold_whole_conversations(scores):
    """Prompt and texts are rendered; "It" stands in both answers of a prompt and must find its own."""
    columns = {
        "prompt": [f"<|user|>\n{prompt}<|end|>\n" for prompt in PROMPTS],
        "results": [1] * 40,
        "scores_chosen": HIGH,
        "scores_rejected": LOW,
        "text_chosen": list(map(rewardbench, PROMPTS, GOOD)),
        "text_rejected": list(map(rewardbench, PROMPTS, BAD)),
    }
    np.testing.assert_allclose(scores(columns), [*HIGH, *LOW])
    others = (["What is 1?", "What is", "1", ""], ["is", "It", "It", "It is 1."])
    found = scores(columns, prompts=[*PROMPTS, *others[0]], responses=[*GOOD, *others[1]])
    np.testing.assert_array_equal(found, [*HIGH, *[NAN] * 4])
    found = scores(columns, prompts=columns["prompt"], responses=columns["text_rejected"])
    np.testing.assert_allclose(found, LOW)


def test_texts_that_are_not_there_have_no_score(scores):
    found = scores(
        LONG, prompts=["What is 1?", "What is 1?", "What is 99?"], responses=["It is 1.", "It is 2.", "It is 1."]
    )
    np.testing.assert_array_equal(found, [1.5, NAN, NAN])
    some = [None if at % 2 else score for at, score in enumerate([*HIGH, *LOW])]
    np.testing.assert_array_equal(np.isnan(scores({**LONG, "score": some})), [score is None for score in some])


def test_white_space_counts_only_where_it_tells_texts_apart(scores):
    columns = {"prompt": ["p", "p", "q"], "response": ["a", "a ", "b\n"], "score": [1.0, 2.0, 3.0]}
    found = scores(columns, prompts=["p", "p", "p", " q"], responses=["a", "a ", " a", "b"])
    np.testing.assert_array_equal(found, [1.0, 2.0, NAN, 3.0])


def test_without_prompts_the_response_is_looked_up_alone(scores):
    bare = {"response": [*GOOD, "It"], "score": [*HIGH, 7.0]}
    np.testing.assert_allclose(scores(bare), [*HIGH, *[7.0] * 40])
    np.testing.assert_allclose(scores(LONG, prompts=[""] * 40, responses=GOOD), HIGH)
    found = scores(LONG, "?prompt=", prompts=["another"] * 2, responses=[GOOD[3], "It"])
    np.testing.assert_array_equal(found, [3.5, NAN])  # "It" has different scores under different prompts


def test_a_few_texts_with_different_scores(scores):
    """They have none, unless they are asked about as often as they are in the file; their mean is nobody's score."""
    columns = {name: [*LONG[name], LONG[name][1]] for name in ("prompt", "response")} | {
        "score": [*LONG["score"], 30.0]
    }
    np.testing.assert_allclose(scores(columns, prompts=[PROMPTS[1]] * 2, responses=[GOOD[1]] * 2), [1.5, 30.0])
    for times in (1, 3):
        found = scores(columns, prompts=[*[PROMPTS[1]] * times, PROMPTS[2]], responses=[*[GOOD[1]] * times, GOOD[2]])
        np.testing.assert_array_equal(found, [*[NAN] * times, 2.5])


def test_noise_is_no_difference(scores):
    columns = {**LONG, "prompt": [*PROMPTS, *PROMPTS], "response": [*GOOD, *GOOD], "score": [*HIGH, *np.add(HIGH, 0.1)]}
    np.testing.assert_allclose(scores(columns, prompts=PROMPTS, responses=GOOD), HIGH)


def test_several_models_in_one_file_need_a_choice(scores, folder):
    two = {"prompt": PROMPTS * 2, "response": GOOD * 2, "score": [*HIGH, *LOW], "model": ["late"] * 40 + ["early"] * 40}
    with pytest.raises(InputError) as mistake:
        scores(two)
    path = folder / "rm.jsonl"
    assert str(mistake.value) == (
        f"{path}, row 1: 40 of 40 texts have different scores, such as -1 and 0.5; expected the scores of one model. "
        f"Try: scores:{path}?model=late"
    )
    np.testing.assert_allclose(scores(two, "?model=early", prompts=PROMPTS, responses=GOOD), LOW)
    with pytest.raises(InputError, match="unknown model 'erly'; did you mean early"):
        scores(two, "?model=erly")


def test_names(opened, folder):
    (folder / "late.jsonl").write_text('{"response": "a", "score": 1, "model": "m"}\n')
    assert opened("scores:late.jsonl").name == "late"
    assert opened("scores:late.jsonl?model=m").name == "m"
    assert opened("mine=scores:late.jsonl?model=m").name == "mine"


def test_the_file_is_part_of_the_record(opened, folder):
    (folder / "late.jsonl").write_text('{"response": "a", "score": 1}\n')
    record = opened("scores:late.jsonl").record
    assert (record.role, record.name, record.layout, record.rows) == ("reward_model", "late.jsonl", "scores", 1)
    assert len(record.sha256) == 64


@pytest.mark.parametrize(
    ("columns", "settings", "said"),
    [
        ({"prompt": ["p"], "mine": ["a"], "id": [7], "rm_score": [1.0]}, "", "Try: scores:{path}?mine=rm_score"),
        ({"prompt": ["p"], "chosen": ["a"], "rejected": ["b"]}, "", "no texts beside scores in columns prompt, chosen"),
        ({"chosen": [1.0], "rejected": [2.0]}, "", "no texts beside scores in columns chosen, rejected; expected"),
        ({"response": ["a"], "score": ["high"]}, "", "no scores; expected numbers beside the texts"),
        ({"response": ["a"], "score": [NAN]}, "", "no scores; expected numbers beside the texts"),
        ({"response": [1.0], "score": [1.0]}, "", "column 'response' holds no texts; expected text or messages"),
        (LONG, "?respones=score", "unknown column 'respones'; did you mean response"),
        (LONG, "?response=scor", "unknown column 'scor'; did you mean score"),
        (LONG, "?prompt=promt", "unknown column 'promt'; did you mean prompt"),
        ({"responses": [["a", "b"]], "scores": [[1.0]]}, "", "values of an unexpected type"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(scores, folder, columns, settings, said):
    with pytest.raises(InputError) as mistake:
        scores(columns, settings)
    path = folder / "rm.jsonl"
    assert str(mistake.value).startswith(f"{path}")
    assert said.format(path=path) in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_a_file_that_is_not_there(opened, folder):
    (folder / "late.jsonl").write_text('{"response": "a", "score": 1}\n')
    with pytest.raises(InputError, match=r"lat\.jsonl: no such file\. Try: late\.jsonl"):
        opened("scores:lat.jsonl")


def test_texts_none_of_which_is_there(scores, folder):
    path = folder / "rm.jsonl"
    with pytest.raises(InputError) as mistake:
        scores(LONG, prompts=["p"] * 3, responses=["a", "b", "c"])
    assert str(mistake.value) == (
        f"{path}: no score for any of 3 texts; expected the same texts as in the files that are scored"
    )
    with pytest.raises(InputError) as mistake:
        scores(LONG, prompts=["p"] * 3, responses=[GOOD[0], GOOD[1], "c"])
    assert f"2 have other prompts there. Try: scores:{path}?prompt=" in str(mistake.value)


def test_no_texts_at_all(opened, folder):
    (folder / "late.jsonl").write_text('{"response": "a", "score": 1}\n')
    assert opened("scores:late.jsonl").score([], []).shape == (0,)


@pytest.mark.skipif(not REWRITES.exists(), reason="the real data (../shared/data) is not here")
@pytest.mark.parametrize("size", ["2B", "27B"])
def test_published_rewrites_score_as_in_their_file(opened, size):
    """Every score to the bit, although three of the texts have two or three different ones."""
    path, raw = REWRITES.resolve(), pl.read_parquet(REWRITES)
    columns = {"base_response": f"rm{size}_cda_score_base", "perturbed_response": f"rm{size}_cda_score_perturbed"}
    model = opened(f"scores:{path}?" + "&".join(f"{side}={column}" for side, column in columns.items()))
    found = model.score([*raw["prompt"], *raw["prompt"]], [text for side in columns for text in raw[side]])
    np.testing.assert_array_equal(found, np.concatenate([raw[column].to_numpy() for column in columns.values()]))
