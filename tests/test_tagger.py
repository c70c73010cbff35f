"""The tagger: one text or a stream, what is decided and what is explained, and scorers that break the contract."""

from pathlib import Path

import numpy as np
import pytest

from compersion_nlp.bundle import Bundle, Manifest
from compersion_nlp.decision import LabelDecision
from compersion_nlp.errors import BadConfig, BadInput, BadScorer
from compersion_nlp.lexicon import Lexicon
from compersion_nlp.records import Passage, Span
from compersion_nlp.scorers.rules import RulesScorer
from compersion_nlp.stance import default_cues
from compersion_nlp.tagger import Tagger

LABELS = ("jealousy", "joy")
EVEN = LabelDecision(1.0, 0.0, 0.5, 100, False)


class WordScorer:
    """Counts words: every ``glad`` speaks for joy, and nothing for jealousy."""

    labels = LABELS

    def score(self, texts):
        return np.array([[-3, 2 * text.count("glad") - 1] for text in texts], np.float32).reshape(-1, 2)


class NotANumber(WordScorer):
    """A scorer that has no answer."""

    def score(self, texts):
        return super().score(texts) * np.float32(np.nan)


def tagger_of(scorer, window=None, decision=None):
    decision = decision or dict.fromkeys(LABELS, EVEN)
    return Tagger(Bundle(Manifest("made", "1", "none", LABELS, decision, window=window), scorer, Path(), ""))


@pytest.fixture
def tagger():
    return tagger_of(WordScorer())


def test_a_reading_says_what_is_felt_where_and_by_which_model(tagger):
    reading = tagger.tag("The bus came. I was glad. He was jealous.")
    assert (reading.felt, reading.model) == (("joy",), "made@1")
    assert reading["joy"].probability == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-4)
    assert reading["joy"].evidence == (Span(14, 25),)
    assert reading["jealousy"].stance == "other"


def test_the_decision_stands_and_no_mention_contradicts_it(tagger):
    reading = tagger.tag("I was so jealous.")
    assert reading["jealousy"].mentions == ()
    assert reading["jealousy"].stance is None
    assert reading.felt == ()


def test_without_explaining_the_decision_is_the_same_and_nothing_else_is_said(tagger):
    text = "I was glad and he was jealous."
    whole, bare = tagger.tag(text), tagger.tag(text, explain=False)
    assert [(f.felt, f.probability) for f in bare] == [(f.felt, f.probability) for f in whole]
    assert (bare.mentions, bare["joy"].evidence, bare.explained) == ((), (), False)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_stream_keeps_its_order_in_batches_of_any_size(tagger, size):
    passages = ["glad", Passage("sad"), "so glad", Passage("glad glad"), ""]
    readings = list(tagger.tag_many(iter(passages), batch_size=size))
    assert [reading.text for reading in readings] == ["glad", "sad", "so glad", "glad glad", ""]
    assert [reading.felt == ("joy",) for reading in readings] == [True, False, True, True, False]


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_no_passages_is_refused(tagger, size):
    with pytest.raises(BadConfig, match=f"batch_size is {size}"):
        next(tagger.tag_many(["glad"], batch_size=size))


def test_a_long_text_is_read_in_windows_and_its_surest_counts():
    text = "The bus was late. " * 30 + "I was glad." + " The bus was late." * 30
    reading = tagger_of(WordScorer(), window=60).tag(text)
    assert [span.of(text) for span in reading["joy"].evidence] == ["I was glad."]


def test_columns_follow_the_labels_and_not_the_order_of_the_decision():
    decision = {"joy": EVEN, "jealousy": LabelDecision(1.0, 0.0, 0.01, 100, False)}
    assert tagger_of(WordScorer(), decision=decision).tag("a bus", explain=False).felt == ("jealousy",)


def test_a_scorer_without_an_answer_is_an_error_and_not_a_reading_of_nothing():
    with pytest.raises(BadScorer, match="not finite"):
        tagger_of(NotANumber()).tag("glad")


def test_mentions_are_found_by_the_words_that_the_bundle_reads_by():
    own = Lexicon('format = 1\n[labels.joy.named]\nstrong = ["yeehaw"]\n[labels.jealousy]\n')
    reading = tagger_of(RulesScorer(LABELS, own, default_cues())).tag("Yeehaw! He was jealous.")
    assert reading.felt == ("joy",)
    assert [(mention.label, mention.span) for mention in reading.mentions] == [("joy", Span(0, 6))]


@pytest.mark.parametrize("wrong", [None, 3, b"bytes", ["a list"]])
def test_what_is_no_text_is_refused(tagger, wrong):
    with pytest.raises(BadInput, match=f"A passage is {type(wrong).__name__}"):
        tagger.tag(wrong)
    with pytest.raises(BadInput, match=f"A passage is {type(wrong).__name__}"):
        list(tagger.tag_many([wrong]))


def test_one_string_is_not_taken_for_many(tagger):
    with pytest.raises(BadInput, match=r"given one string[\s\S]*use tag for one"):
        list(tagger.tag_many("I was glad."))
