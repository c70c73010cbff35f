"""What explains readings is looked for only where a scorer that knows stances finds something."""

import re
from pathlib import Path

import numpy as np
import pytest

from compersion_nlp import explaining
from compersion_nlp.bundle import Bundle, Manifest
from compersion_nlp.decision import LabelDecision
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Mention, Span
from compersion_nlp.scorers.protocol import Answers, StanceScorer, Trace
from compersion_nlp.tagger import Tagger

LABELS = ("joy", "jealousy")
EVEN = LabelDecision(1.0, 0.0, 0.5, 100, False)


class WordScorer:
    """Every ``glad`` is joy; every ``green`` is jealousy, another's, and not felt."""

    labels = LABELS

    def __init__(self):
        self.traced = []

    def score(self, texts):
        return self.answer(texts).felt

    def answer(self, texts):
        return self._read(texts)[0]

    def trace(self, texts):
        self.traced.extend(texts)
        return self._read(texts)

    def _read(self, texts):
        traces = [self._trace(text) for text in texts]
        felt, mentioned = (
            np.array([getattr(trace, name).sum(axis=0) - 3 for trace in traces], np.float32).reshape(-1, 2)
            for name in ("felt", "mentioned")
        )
        stances = np.zeros((len(texts), 2, len(SCHEME.stance_names)), np.float32)
        stances[:, 0, SCHEME.stance_names.index("felt")] = 9
        stances[:, 1, SCHEME.stance_names.index("other")] = 9
        return Answers(felt, mentioned, stances), traces

    def _trace(self, text):
        words = list(re.finditer(r"\w+", text))
        offsets = np.array([word.span() for word in words]).reshape(-1, 2)
        felt = np.array([[6.0 * (word.group() == "glad"), 0.0] for word in words], np.float32).reshape(-1, 2)
        other = np.array([[0.0, 6.0 * (word.group() == "green")] for word in words], np.float32).reshape(-1, 2)
        return Trace(offsets, felt, felt + other)


@pytest.fixture
def scorer():
    return WordScorer()


@pytest.fixture
def tagger(scorer):
    numbers = dict.fromkeys(LABELS, EVEN)
    return Tagger(Bundle(Manifest("made", "1", "none", LABELS, numbers, mentioned=numbers), scorer, Path(), ""))


@pytest.fixture
def parsed(monkeypatch):
    """Returns the list of the texts that are parsed from now on."""
    found, parse = [], explaining.parse
    monkeypatch.setattr(explaining, "parse", lambda text: (found.append(text), parse(text))[1])
    return found


CALM, FELT, MENTIONED = "The bus was late. We ate.", "The bus came. I was glad.", "We ate. He went green again."


def test_a_passage_in_which_nothing_is_found_is_not_parsed(tagger, scorer, parsed):
    assert isinstance(scorer, StanceScorer)
    readings = list(tagger.tag_many([CALM, FELT, CALM, "", MENTIONED]))
    assert parsed == [FELT, MENTIONED]
    assert [reading.stances for reading in readings] == [{}, {"joy": "felt"}, {}, {}, {"jealousy": "other"}]
    assert readings[0].explained
    assert (readings[0].mentions, readings[0]["joy"].evidence) == ((), ())


def test_what_is_found_is_explained_from_the_one_reading_that_decided(tagger, scorer):
    calm, felt, mentioned = tagger.tag_many([CALM, FELT, MENTIONED])
    assert scorer.traced == [CALM, FELT, MENTIONED]
    assert felt["joy"].evidence == (Span(14, 25),)
    assert mentioned["jealousy"].mentions == (Mention("jealousy", "other", Span(8, 28)),)
    assert calm.to_row()["evidence"] == {}


def test_passages_in_which_nothing_is_found_change_nothing_for_the_others(tagger):
    alone = [tagger.tag(text) for text in (FELT, MENTIONED)]
    assert list(tagger.tag_many([CALM, FELT, CALM, MENTIONED, CALM]))[1:4:2] == alone


def test_where_nothing_is_found_anywhere_nothing_is_parsed(tagger, parsed):
    assert all(reading.stances == {} for reading in tagger.tag_many([CALM, "", CALM]))
    assert parsed == []


def test_labels_alone_are_read_without_parsing_or_tracing(tagger, scorer, parsed):
    assert [reading.felt for reading in tagger.tag_many([FELT, CALM], explain=False)] == [("joy",), ()]
    assert (parsed, scorer.traced) == ([], [])


def test_by_a_scorer_that_knows_no_stances_every_passage_is_parsed(parsed, scorer):
    class Plain:
        labels = LABELS
        score = scorer.score

    numbers = dict.fromkeys(LABELS, EVEN)
    tagger = Tagger(Bundle(Manifest("made", "1", "none", LABELS, numbers), Plain(), Path(), ""))
    assert [reading.felt for reading in tagger.tag_many([CALM, FELT])] == [(), ("joy",)]
    assert parsed == [CALM, FELT]
