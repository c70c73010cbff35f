import numpy as np
import pytest

from compersion_nlp.errors import BadScorer, UnknownLabel
from compersion_nlp.scorers.protocol import PROBES, Answers, SavableScorer, Scorer, StanceScorer, Trace, check_scorer


class Lengths:
    """A sound scorer: the length of the text, in thousands, for both labels."""

    labels = ("joy", "envy")

    def score(self, texts):
        return np.array([[len(text) / 1000] * 2 for text in texts], dtype=np.float32).reshape(-1, 2)


def with_labels(labels):
    scorer = Lengths()
    scorer.labels = labels
    return scorer


def scoring(function):
    """A scorer whose answer is ``function`` of the texts and of the sound answer."""

    class Scorer(Lengths):
        def score(self, texts):
            return function(texts, super().score(texts))

    return Scorer()


def test_a_sound_scorer_passes():
    check_scorer(Lengths())
    assert isinstance(Lengths(), Scorer)
    assert not isinstance(Lengths(), SavableScorer)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ((), BadScorer, r"labels is \(\)"),
        (["joy", "envy"], BadScorer, r"labels is \['joy', 'envy'\]"),
        (("joy", "joy"), BadScorer, "labels names one twice: joy, joy"),
        (("joy", "glee"), UnknownLabel, "There is no label 'glee' in the scheme"),
    ],
)
def test_unsound_labels_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        check_scorer(with_labels(labels))


def unsteady(texts, scores):
    return scores + np.random.default_rng().random(scores.shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda texts, scores: scores.astype(np.float64), "score returned float64"),
        (lambda texts, scores: scores.tolist(), "score returned list"),
        (lambda texts, scores: scores[:, :1], r"score returned shape \(10, 1\) for 10 texts.\nExpected \(10, 2\)"),
        (lambda texts, scores: scores if texts else scores[:, 0], r"score returned shape \(0,\) for 0 texts"),
        (lambda texts, scores: scores * np.float32(np.nan), "score returned a value that is not finite"),
        (unsteady, "score gave two answers for the same texts"),
        (lambda texts, scores: scores - scores.sum(), "score gave probe 0 another row when it was scored alone"),
    ],
    ids=["float64", "list", "columns", "empty batch", "nan", "random", "neighbours"],
)
def test_an_unsound_answer_is_refused(function, message):
    with pytest.raises(BadScorer, match=message):
        check_scorer(scoring(function))


def test_a_text_that_the_scorer_cannot_take_fails_the_check():
    scorer = scoring(lambda texts, scores: scores * np.float32([text.encode() != b"" for text in texts])[:, None])
    with pytest.raises(UnicodeEncodeError):
        check_scorer(scorer, ["\ud800"])


def test_the_probes_hold_what_has_broken_scorers():
    assert "" in PROBES
    assert any("\x00" in probe for probe in PROBES)
    assert any(len(probe) >= 10_000 for probe in PROBES)


class Stances(Lengths):
    """A sound scorer that also knows stances, of which it is never sure."""

    def answer(self, texts):
        felt = self.score(texts)
        return Answers(felt, felt, np.zeros((*felt.shape, 6), np.float32))

    def trace(self, texts):
        traces = [Trace(np.zeros((1, 2), np.int64), *[np.zeros((1, 2), np.float32)] * 2) for _ in texts]
        return self.answer(texts), traces


def test_a_scorer_that_knows_stances_is_checked_for_them():
    assert isinstance(Stances(), StanceScorer)
    check_scorer(Stances())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda answers: answers._replace(stances=answers.stances[..., :5]), "answer returned stances as float32 of"),
        (
            lambda answers: answers._replace(mentioned=answers.mentioned * np.float32(np.nan)),
            "answer returned mentioned",
        ),
        (lambda answers: answers._replace(felt=answers.felt + 1), "answer or trace says something else of what is"),
    ],
)
def test_answers_that_break_the_contract_are_refused(change, message):
    class Broken(Stances):
        def answer(self, texts):
            return change(super().answer(texts))

    with pytest.raises(BadScorer, match=message):
        check_scorer(Broken())
