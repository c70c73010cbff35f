import re
from collections.abc import Sequence

import numpy as np
import pytest

from compersion_nlp.decision import Decision, LabelDecision
from compersion_nlp.evidence import MARGIN, MOST_PARTS, MOST_WINDOWS, Windowed, find_evidence
from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import Trace
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


# By trace: a scorer that says itself what each word adds is not asked again


class Silent:
    """A scorer that may not be asked anything."""

    labels = LABELS

    def score(self, texts: Sequence[str]):
        raise AssertionError(f"asked about {texts}")


def trace_words(text, constant):
    """Returns the logits of a text and their trace: a word adds the number behind it, the first to joy.

    At both ends stands a special piece, which is nowhere in the text.
    """
    words = [(found.span(), found.group(1), found.group(2)) for found in re.finditer(r"(\w+?)(-?\d+)\b", text)]
    added = [
        [float(n) / 10 if word == "joy" else 0, float(n) / 10 if word == "jealousy" else 0] for _, word, n in words
    ]
    offsets = np.array([(0, 0), *(span for span, _, _ in words), (0, 0)])
    felt = np.array([[0.25, 0], *added, [0.25, 0]], np.float32)
    return felt.sum(axis=0) + np.float32(constant), Trace(offsets, felt, np.zeros_like(felt))


def traced_evidence(text, constant=0.0, felt=(0,), windows=None):
    windows = windows or (Span(0, len(text)),)
    logits, traces = zip(*(trace_words(span.of(text), constant) for span in windows), strict=True)
    passage = Windowed(text, windows, np.stack(logits), sentences(parse(text)), list(felt), traces)
    (found,) = find_evidence(Silent(), DECISION, [passage])
    return {LABELS[column]: [span.of(text) for span in spans] for column, spans in found.items()}


def test_a_traced_label_is_carried_by_the_sentence_whose_words_add_most():
    assert traced_evidence("Bus joy1. So joy20 here! Then joy2.", -2) == {"joy": ["So joy20 here!"]}


def test_a_sentence_adds_the_sum_of_its_words():
    assert traced_evidence("joy9 joy9 joy9. So joy20. joy20 joy-19.", -3) == {"joy": ["joy9 joy9 joy9.", "So joy20."]}


def test_what_adds_half_as_much_as_the_first_carries_a_traced_label_too_and_less_does_not():
    assert traced_evidence("So joy40. A joy20. Less joy19.", -9) == {"joy": ["So joy40.", "A joy20."]}


def test_each_traced_label_has_evidence_of_its_own():
    text = "So joy20. Then jealousy20. We ate."
    assert traced_evidence(text, -1.5, felt=(0, 1)) == {"joy": ["So joy20."], "jealousy": ["Then jealousy20."]}


def test_traced_sentences_are_added_the_next_best_first_until_the_label_falls():
    text = "So joy100. A joy20. A bus. Some joy30. Less joy10."
    # Without the first, 6 are left of what words add, and half a one that nothing in the text stands for.
    found = [traced_evidence(text, constant)["joy"] for constant in (-7.1, -5, -3, -1.5)]
    assert found == [
        ["So joy100."],
        ["So joy100.", "Some joy30."],
        ["So joy100.", "A joy20.", "Some joy30."],
        ["So joy100.", "A joy20.", "Some joy30.", "Less joy10."],
    ]


def test_a_traced_label_that_nothing_makes_fall_has_all_sentences_that_speak_for_it_and_no_others():
    text = "So joy100. A bus. Less joy10. Not joy-20."
    assert traced_evidence(text, 50) == {"joy": ["So joy100.", "Less joy10."]}


def test_a_traced_label_has_to_be_left_a_little_under_its_threshold():
    text = "So joy100. A joy20."  # without the first, 2.5 are left
    assert traced_evidence(text, -2.5 - MARGIN + 0.01) == {"joy": ["So joy100.", "A joy20."]}
    assert traced_evidence(text, -2.5 - MARGIN - 0.01) == {"joy": ["So joy100."]}


def test_a_traced_label_that_every_sentence_speaks_against_has_the_one_that_does_so_least():
    assert traced_evidence("Bus joy-30. Late joy-1. Home joy-20.", -9) == {"joy": ["Late joy-1."]}


def test_each_window_is_looked_into_by_its_own_trace():
    text = "Calm day. So joy30. A bus came. Then joy20 again. Late joy1."
    cut = text.index("A bus")
    found = traced_evidence(text, -1.5, windows=(Span(0, cut), Span(cut, len(text))))
    assert found == {"joy": ["So joy30.", "Then joy20 again."]}


def test_what_is_traced_and_not_felt_has_no_evidence():
    assert traced_evidence("So joy100.", felt=()) == {}
