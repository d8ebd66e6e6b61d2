"""`py:`, a function of the user's."""

import sys

import numpy as np
import pytest

from dehusk.core.errors import BackendError, InputError

MODULE = """
import math
calls = []
def length(prompts, responses):
    assert isinstance(prompts, list) and isinstance(responses, list)
    calls.append(len(responses))
    return [len(prompt) - len(text) for prompt, text in zip(prompts, responses)]
def short(prompts, responses): return [0.0] * (len(responses) - 1)
def nan(prompts, responses): return [math.nan] * len(responses)
def none(prompts, responses): return [0.5, None]
def infinite(prompts, responses): return [0.5, float("-inf")]
def words(prompts, responses): return ["good"] * len(responses)
def nested(prompts, responses): return [[0.5]] * len(responses)
def number(prompts, responses): return 0.5
def nothing(prompts, responses): pass
def dies(prompts, responses): raise ValueError("no such\\nrubric")
def one_argument(texts): return [0.0] * len(texts)
class Rubric:
    def __call__(self, prompts, responses): return (1.0 for _ in responses)
    def score(self, prompts, responses):
        import numpy
        return numpy.array([len(text) for text in responses], dtype="float32")
rubric = Rubric()
version = 3
"""


@pytest.fixture(autouse=True)
def module(folder):
    (folder / "rm_mine.py").write_text(MODULE)
    (folder / "rewards_of_mine").mkdir()
    (folder / "rewards_of_mine" / "rm_inner.py").write_text(MODULE)
    (folder / "rm_broken.py").write_text("import rm_that_is_not_there\n")
    (folder / "rm_syntax.py").write_text("def score(:\n")


@pytest.mark.parametrize(
    ("where", "scores"),
    [
        ("rm_mine:length", [1.0, -1.0]),
        ("rm_mine.py:length", [1.0, -1.0]),
        ("rewards_of_mine/rm_inner.py:length", [1.0, -1.0]),
        ("rewards_of_mine.rm_inner:length", [1.0, -1.0]),
        ("rm_mine:rubric", [1.0, 1.0]),
        ("rm_mine:rubric.score", [2.0, 4.0]),
    ],
)
def test_a_function_in_the_working_folder(opened, where, scores):
    model = opened(f"py:{where}")
    found = model.score(["why", "why"], ["no", "well"])
    assert found.dtype == np.float64
    assert found.tolist() == scores


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("short", "answered 1 scores for 2 texts"),
        ("nan", "no score for text 1 of 2, but nan"),
        ("none", "no score for text 2 of 2, but None"),
        ("infinite", "no score for text 2 of 2, but -inf"),
        ("words", "no score for text 1 of 2, but 'good'"),
        ("nested", "no score for text 1 of 2, but [0.5]"),
        ("number", "answered 0.5; expected 2 scores"),
        ("nothing", "answered None; expected 2 scores"),
        ("dies", "raised ValueError: no such rubric"),
        ("one_argument", "raised TypeError: one_argument() takes 1 positional argument but 2 were given"),
    ],
)
def test_a_failure_names_the_function(opened, function, said):
    with pytest.raises(BackendError) as failure:
        opened(f"name=py:rm_mine:{function}").score(["a", "b"], ["a", "b"])
    assert str(failure.value) == f"py:rm_mine:{function}: {said}"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("rm_mine", "'rm_mine'; expected py:module:function"),
        ("rm_mine:", "'rm_mine:'; expected py:module:function"),
        (":score", "':score'; expected py:module:function"),
        ("rm_mine:scor", "no function 'scor' in rm_mine"),
        ("rm_mine:rubric.scor", "no function 'rubric.scor' in rm_mine"),
        ("rm_mine:version", "rm_mine:version is no function"),
        ("rm_absent:score", "no module 'rm_absent'"),
        ("rm_mine.inner:score", "no module 'rm_mine.inner'"),
        ("rm_broken:score", "cannot import rm_broken: ModuleNotFoundError: No module named 'rm_that_is_not_there'"),
        ("rm_syntax:score", "cannot import rm_syntax: SyntaxError: "),
        ("rm mine:score", "no module 'rm mine'"),
        ("../rm:score", "cannot import ...rm: TypeError: "),
        ("rm_mine:length?verison=2", "no function 'length?verison=2' in rm_mine"),
    ],
)
def test_a_mistake_is_one_line(opened, where, said):
    with pytest.raises(InputError) as mistake:
        opened(f"py:{where}")
    assert said in str(mistake.value)
    assert str(mistake.value).startswith("--reward-model: ")
    assert "\n" not in str(mistake.value)


def test_with_a_version_scores_are_kept_and_without_they_are_not(opened):
    for spec, calls in (("?version=1", 1), ("?version=1", 1), ("?version=2", 2), ("", 3), ("", 4)):
        opened(f"py:rm_mine:length{spec}").score(["why"], ["no"])
        assert len(sys.modules["rm_mine"].calls) == calls
