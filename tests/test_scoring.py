"""Windows and their answers made one."""

import numpy as np
import pytest

from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import Answers
from compersion_nlp.scoring import aggregate, find_unfelt

WINDOWS = [((Span(0, 1), Span(1, 2)), np.array([[2.0, -1.0], [0.0, -1.0]], np.float32))]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("max", [2.0, -1.0]),
        ("logsumexp", [2 + np.log1p(np.exp(-2)), -1 + np.log(2)]),
        ("attention", [2 / (1 + np.exp(-2)), -1.0]),
    ],
)
def test_windows_become_one_row(how, expected):
    assert aggregate(WINDOWS, 2, how)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("how", ["max", "logsumexp", "attention"])
def test_one_window_is_its_own_row_whatever_the_way(how):
    one = [((Span(0, 1),), np.array([[0.3, -7.0]], np.float32))]
    assert np.array_equal(aggregate(one, 2, how), one[0][1])
    assert aggregate([], 2, how).shape == (0, 2)


def answers(mentioned, felt_stance):
    stances = np.zeros((len(mentioned), 1, len(SCHEME.stance_names)), np.float32)
    stances[:, 0, SCHEME.stance_names.index(FELT)] = felt_stance
    return Answers(np.zeros((len(mentioned), 1), np.float32), np.array(mentioned, np.float32)[:, None], stances)


def test_a_mention_that_is_surely_felt_is_no_mention_of_another_stance():
    unfelt, *_ = find_unfelt(answers([3.0], [20.0]))
    other, *_ = find_unfelt(answers([3.0], [-20.0]))
    assert unfelt[0] < -10
    assert other[0] == pytest.approx(3.0, abs=1e-3)


def test_the_surest_window_gives_the_stances():
    both = answers([1.0, 4.0], [-20.0, -20.0])
    both.stances[1, 0, 3] = 9.0
    logits, stances, windows = find_unfelt(both)
    assert logits[0] == pytest.approx(4.0, abs=1e-3)
    assert (stances[0, 3], windows[0]) == (9.0, 1)


def test_extreme_answers_stay_finite():
    logits, *_ = find_unfelt(answers([500.0, -500.0], [-500.0, 500.0]))
    assert np.isfinite(logits).all()
