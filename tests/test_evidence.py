from collections.abc import Sequence

import numpy as np
import pytest

from compersion_nlp.decision import Decision, LabelDecision
from compersion_nlp.evidence import MOST_PARTS, MOST_WINDOWS, Windowed, find_evidence
from compersion_nlp.records import Span
from compersion_nlp.scoring import score_windows
from compersion_nlp.text import parse, sentences

LABELS = ("joy", "jealousy")


class WordScorer:
    """Counts words: every ``glad`` speaks for joy and every ``green`` for jealousy; ``asked`` counts its texts."""

    labels = LABELS

    def __init__(self) -> None:
        self.asked = 0

    def score(self, texts: Sequence[str]):
        self.asked += len(texts)
        rows = [[2 * text.count("glad") - 1, 2 * text.count("green") - 1] for text in texts]
        return np.array(rows, np.float32).reshape(len(texts), 2)


DECISION = Decision(dict.fromkeys(LABELS, LabelDecision(1.0, 0.0, 0.5, 100, False)))


def evidence(text, felt=(0,), window=None, scorer=None):
    scorer = scorer or WordScorer()
    spans, logits = score_windows(scorer, [text], window)[0]
    passage = Windowed(text, spans, logits, sentences(parse(text)), list(felt))
    found = find_evidence(scorer, DECISION, [passage])[0]
    return {LABELS[column]: [span.of(text) for span in spans] for column, spans in found.items()}


def test_the_sentence_that_carries_a_label_is_found():
    text = "The bus was late. I was glad all day! Then home."
    assert evidence(text) == {"joy": ["I was glad all day!"]}


def test_each_felt_label_has_evidence_of_its_own():
    text = "I was glad for her. Later I went green. We ate."
    assert evidence(text, felt=(0, 1)) == {"joy": ["I was glad for her."], "jealousy": ["Later I went green."]}


def test_two_sentences_that_each_carry_it_are_both_evidence():
    text = "So glad. The bus came. Still glad."
    assert evidence(text) == {"joy": ["So glad.", "Still glad."]}


def test_a_sentence_that_matters_far_less_than_another_is_left_out():
    text = "glad glad glad glad glad. A bus, not unlike a glad one? no."
    scorer = WordScorer()
    scorer.score = lambda texts: (
        WordScorer.score(scorer, [text.replace("a glad one", "one") for text in texts])
        + np.array([[0.5 * ("a glad one" in text), 0] for text in texts], np.float32).reshape(len(texts), 2)
    )
    assert evidence(text, scorer=scorer) == {"joy": ["glad glad glad glad glad."]}


def test_sentences_are_added_until_the_label_falls_without_them():
    text = "glad glad glad glad glad. The bus came. A little glad."
    assert evidence(text) == {"joy": ["glad glad glad glad glad.", "A little glad."]}


def test_a_passage_of_one_sentence_is_its_own_evidence():
    assert evidence("so glad about it") == {"joy": ["so glad about it"]}


def test_a_label_that_no_sentence_carries_by_itself_still_has_evidence():
    assert len(evidence("The bus came. It was late.")["joy"]) >= 1


def test_evidence_is_looked_for_in_the_windows_that_carry_the_label():
    text = "A calm day here. " * 20 + "I was glad of it. " + "Another calm day. " * 20
    assert evidence(text, window=100) == {"joy": ["I was glad of it."]}


def test_a_text_without_sentences_has_no_evidence():
    assert evidence(" \n ") == {}


def test_no_felt_label_costs_no_scoring():
    scorer = WordScorer()
    assert evidence("I was glad. Very glad.", felt=(), scorer=scorer) == {}
    assert scorer.asked == 1


def test_a_hostile_text_costs_a_bounded_number_of_scorings():
    scorer = WordScorer()
    text = "glad. " * 20_000
    spans = len(score_windows(WordScorer(), [text], 1000)[0][0])
    assert evidence(text, window=1000, scorer=scorer)["joy"]
    assert scorer.asked <= spans + 2 * MOST_WINDOWS * MOST_PARTS


@pytest.mark.parametrize("text", ["glad\r\n\r\nglad 😀👨‍👩‍👧 x", "e\u0301 glad\x00. glad", "“glad” — glad…"])
def test_evidence_spans_point_into_the_text_as_it_came_in(text):
    assert all(part in text and "glad" in part for part in evidence(text)["joy"])


def test_spans_are_sorted_and_whole_passages_are_kept_apart():
    scorer = WordScorer()
    texts = ["So glad. A bus. Glad? glad.", "A bus. So green."]
    scored = score_windows(scorer, texts, None)
    passages = [
        Windowed(text, spans, logits, sentences(parse(text)), felt)
        for text, (spans, logits), felt in zip(texts, scored, ([0], [1]), strict=True)
    ]
    first, second = find_evidence(scorer, DECISION, passages)
    assert list(first) == [0]
    assert first[0] == tuple(sorted(first[0]))
    assert second == {1: (Span(7, 16),)}
