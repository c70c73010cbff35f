"""Evaluation: metrics against hand counts and scikit-learn, intervals by group, slices, comparison, rendering."""

from __future__ import annotations

import json
from math import isnan
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_fscore_support

from compersion_nlp.bundle import CorpusUse, Manifest
from compersion_nlp.corpus import Corpus, gold
from compersion_nlp.decision import Decision
from compersion_nlp.errors import BadInput, UnknownLabel
from compersion_nlp.evaluate import (
    compare,
    evaluate,
    make_predictions,
    notes,
    predict,
    seen_in_training,
    tables,
    to_json,
    to_markdown,
)
from compersion_nlp.evaluate.metrics import calibration_error, resampled_average_precision
from compersion_nlp.evaluate.resampling import Grouping, interval
from compersion_nlp.evaluate.slices import OPPOSITES
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Annotation

LABELS = ("compersion", "joy", "jealousy")


def annotation(number, feelings, group=None, kind="comment", words=5, manner=None):
    return Annotation(f"p{number}", "word " * words, kind, group or f"g{number}", feelings, manner=manner)


def corpus_of(*annotations, labels=SCHEME.names, sha256="a" * 64):
    return Corpus("made/dev", tuple(annotations), labels, sha256)


def felt(*labels):
    return dict.fromkeys(labels, "felt")


def answers(corpus, probabilities, labels=LABELS, model="made@1", **more):
    probabilities = np.array(probabilities, dtype=np.float64)
    return make_predictions(model, corpus, labels, probabilities, probabilities >= 0.5, **more)


@pytest.fixture
def small():
    corpus = corpus_of(
        annotation(1, felt("compersion", "jealousy"), kind="journal", words=30, manner="plain"),
        annotation(2, felt("compersion")),
        annotation(3, {"jealousy": "denied"}),
        annotation(4, {"jealousy": "other"}, words=200),
    )
    return answers(corpus, [[0.9, 0.1, 0.2], [0.8, 0.7, 0.1], [0.6, 0.2, 0.9], [0.1, 0.1, 0.3]])


def noisy(n=200, groups=50, seed=0, skill=1.5):
    generator = np.random.default_rng(seed)
    marks = generator.random((n, 3)) < (0.5, 0.3, 0.1)
    logits = skill * (2 * marks - 1) + generator.normal(size=marks.shape) * 1.5
    corpus = corpus_of(
        *(
            annotation(i, felt(*(label for label, mark in zip(LABELS, row, strict=True) if mark)), f"g{i % groups}")
            for i, row in enumerate(marks)
        )
    )
    return answers(corpus, 1 / (1 + np.exp(-logits)))


def test_figures_counted_by_hand(small):
    found = evaluate(small, resamples=50)
    compersion, joy, jealousy = (found[label] for label in LABELS)
    assert (compersion.support, compersion.decided) == (2, 3)
    assert (compersion.precision, compersion.recall) == (pytest.approx(2 / 3), 1.0)
    assert compersion.f1 == pytest.approx(0.8)
    assert (jealousy.precision, jealousy.recall, jealousy.f1) == (0.0, 0.0, 0.0)
    assert jealousy.average_precision == pytest.approx(1 / 3)
    assert joy.brier == pytest.approx((0.01 + 0.49 + 0.04 + 0.01) / 4)
    assert found.micro.f1 == pytest.approx(2 * 2 / (2 * 2 + 3 + 1))
    assert found.macro.f1 == pytest.approx(0.4)  # joy has no gold
    assert (found.passages, found.groups) == (4, 4)


def test_a_label_without_gold_is_undefined_and_left_out_of_macro(small):
    found = evaluate(small, resamples=50)
    joy = found["joy"]
    assert (joy.support, joy.decided) == (0, 1)
    assert all(isnan(value) for value in (joy.precision, joy.recall, joy.f1, joy.average_precision))
    assert joy.f1_interval is None
    assert found.without_gold == ("joy",)
    assert "Without gold, and left out of macro: joy." in notes(found)


def test_figures_agree_with_scikit_learn():
    predictions = noisy()
    found = evaluate(predictions, resamples=10)
    wanted = predictions.gold.astype(int)
    precision, recall, f1, support = precision_recall_fscore_support(wanted, predictions.decided.astype(int))
    for column, row in enumerate(found.labels):
        assert (row.precision, row.recall, row.f1) == pytest.approx((precision[column], recall[column], f1[column]))
        assert row.support == support[column]
        probabilities = predictions.probabilities[:, column]
        assert row.average_precision == pytest.approx(average_precision_score(wanted[:, column], probabilities))
        assert row.brier == pytest.approx(brier_score_loss(wanted[:, column], probabilities))
    for row, average in ((found.micro, "micro"), (found.macro, "macro")):
        expected = precision_recall_fscore_support(wanted, predictions.decided.astype(int), average=average)[:3]
        assert (row.precision, row.recall, row.f1) == pytest.approx(expected)
        assert row.average_precision == pytest.approx(
            average_precision_score(wanted, predictions.probabilities, average=average)
        )


def test_calibration_error_of_a_made_case():
    # Bin 0.2-0.3: two at 0.25, none positive, off by 0.25. Bin 0.9-1: two at 1.0, one positive, off by 0.5.
    probabilities = np.array([0.25, 0.25, 1.0, 1.0, 0.7])
    marks = np.array([0, 0, 1, 0, np.nan], dtype=np.float32)
    assert calibration_error(probabilities, marks) == pytest.approx(0.5 * 0.25 + 0.5 * 0.5)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0]), st.booleans(), st.integers(0, 3)), min_size=1, max_size=25
    )
)
def test_weighted_average_precision_is_that_of_repeated_passages(cells):
    probabilities, marks, weights = (np.array(part, dtype=np.float64) for part in zip(*cells, strict=True))
    found = resampled_average_precision(probabilities, marks.astype(np.float32), weights[None, :])[0]
    repeated = np.repeat(np.arange(len(cells)), weights.astype(int))
    if not marks[repeated].any():
        assert isnan(found)
    else:
        assert found == pytest.approx(average_precision_score(marks[repeated], probabilities[repeated]))


def test_unknown_gold_counts_nowhere():
    corpus = corpus_of(annotation(1, felt("joy")), annotation(2, {}), labels=("joy", "fear"))
    predictions = answers(corpus, [[0.9, 0.9, 0.1], [0.9, 0.1, 0.9]])
    found = evaluate(predictions, resamples=20)
    assert [row.name for row in found.labels] == ["joy"]
    assert (found.micro.precision, found.micro.recall) == (1.0, 1.0)
    assert found.unannotated == ("compersion", "jealousy")
    assert found.unread == ("fear",)
    with pytest.raises(UnknownLabel, match="'compersion' was not evaluated"):
        found["compersion"]
    assert "Not read by the model, and left out: fear." in notes(found)
    assert "Not annotated in the corpus, and left out: compersion, jealousy." in notes(found)


def test_no_label_in_common_is_refused():
    with pytest.raises(BadInput, match="no label in common"):
        answers(corpus_of(annotation(1, {}), labels=("fear",)), [[0.1, 0.1, 0.1]])


def test_intervals_hold_the_figure_and_narrow_with_more_groups():
    few, many = (evaluate(noisy(n, n), resamples=400) for n in (60, 2000))
    for found in (few, many):
        for row in (*found.labels, found.micro, found.macro):
            assert row.f1_interval.low <= row.f1 <= row.f1_interval.high
    widths = [found.macro.f1_interval.high - found.macro.f1_interval.low for found in (few, many)]
    assert widths[1] < widths[0] / 3
    precision = many.macro
    assert (
        precision.average_precision_interval.low
        < precision.average_precision
        < precision.average_precision_interval.high
    )


def test_intervals_repeat_for_a_seed_and_differ_between_seeds():
    predictions = noisy()
    one, again, other = (evaluate(predictions, 100, seed=seed) for seed in (1, 1, 2))
    assert to_json(one) == to_json(again)
    assert one.micro.f1_interval != other.micro.f1_interval


def test_groups_of_alike_passages_widen_the_interval():
    # Ten copies of each of 30 passages carry no more information than the 30 passages.
    base = noisy(30, 30)
    copies = [msgspec.structs.replace(a, id=f"{a.id}-{k}") for a in base.annotations for k in range(10)]
    apart = [msgspec.structs.replace(a, group=a.id) for a in copies]
    probabilities = np.repeat(base.probabilities, 10, axis=0)
    width = []
    for passages in (copies, apart):
        bounds = evaluate(answers(corpus_of(*passages), probabilities), resamples=400).micro.f1_interval
        width.append(bounds.high - bounds.low)
    assert width[0] > 2 * width[1]


def test_resampling_draws_as_many_groups_as_there_are_whatever_the_chunks(monkeypatch):
    grouping = Grouping.of(["a", "b", "a", "c"])
    assert grouping.sums(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [4.0, 2.0, 4.0]
    whole = np.concatenate(list(grouping.resample(10, seed=3)))
    monkeypatch.setattr("compersion_nlp.evaluate.resampling._AT_ONCE", 6)
    parts = list(grouping.resample(10, seed=3))
    assert len(parts) == 5
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (whole.sum(axis=1) == 3).all()


def test_an_interval_of_nothing_defined_is_none():
    assert interval(np.array([np.nan, np.nan])) is None


def test_slices_by_kind_length_manner_and_content(small):
    found = {(row.family, row.name): row for row in evaluate(small, resamples=50).slices}
    assert {key: row.passages for key, row in found.items()} == {
        ("kind", "comment"): 3,
        ("kind", "journal"): 1,
        ("length", "under 20 words"): 2,
        ("length", "20 to 59 words"): 1,
        ("length", "150 words and more"): 1,
        ("manner", "plain"): 1,
        ("felt", "opposites together"): 1,
        ("felt", "nothing"): 2,
    }
    together = found["felt", "opposites together"]
    assert (together.support, together.precision, together.recall) == (2, 1.0, 0.5)
    nothing = found["felt", "nothing"]
    assert nothing.false_alarm == 0.5  # the third passage has two false alarms, the fourth none
    assert isnan(nothing.micro_f1)


def test_stances_say_how_often_a_mention_is_read_as_felt(small):
    rows = {row.stance: (row.mentions, row.read_as_felt) for row in evaluate(small, resamples=20).stances}
    assert rows == {"felt": (3, pytest.approx(2 / 3)), "denied": (1, 1.0), "other": (1, 0.0)}


def test_opposites_are_pairs_of_the_scheme_written_once():
    assert len({frozenset(pair) for pair in OPPOSITES}) == len(OPPOSITES)
    assert ("compersion", "jealousy") in OPPOSITES


def test_a_contrast_is_right_where_every_member_is_on_the_labels_that_differ():
    corpus = corpus_of(
        annotation(1, felt("jealousy", "joy"), "g"),
        annotation(2, felt("joy"), "g"),
        annotation(3, felt("jealousy"), "h"),
        annotation(4, {"jealousy": "past"}, "h"),
        annotation(5, felt("joy"), "alike"),
        annotation(6, felt("joy"), "alike"),
        annotation(7, felt("joy")),
    )
    # In g, joy is missed in both members: there they do not differ. In h, one answer is given to both.
    predictions = answers(corpus, [[0, 0, 1], [0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 1, 0]])
    found = evaluate(predictions, resamples=10).contrasts
    assert (found.groups, found.consistency) == (2, 0.5)
    assert "differ: 50.0%." in to_markdown(evaluate(predictions, resamples=10))


def test_without_contrasts_there_is_no_consistency(small):
    assert evaluate(small, resamples=10).contrasts is None


def test_compare_pairs_the_resamples():
    good, poor = noisy(skill=2.0), noisy(skill=0.3)
    found = compare(good, msgspec.structs.replace(poor, model="poor@1"), resamples=300)
    macro = found.totals[0]
    assert (found.a, found.b) == ("made@1", "poor@1")
    assert macro.name == "macro F1"
    assert macro.difference == pytest.approx(macro.a - macro.b)
    assert 0 < macro.interval.low <= macro.difference <= macro.interval.high
    assert macro.a_better == 1.0
    assert [row.name for row in found.labels] == list(LABELS)


def test_compare_with_itself_is_a_tie():
    found = compare(noisy(), noisy(), resamples=50)
    for row in (*found.totals, *found.labels):
        assert (row.difference, row.a_better) == (0.0, 0.5)
        assert (row.interval.low, row.interval.high) == (0.0, 0.0)


def test_compare_takes_the_labels_that_both_know(small):
    corpus = corpus_of(*small.annotations)
    other = answers(corpus, [[0.9, 0.2]] * 4, labels=("jealousy", "fear"))
    found = compare(small, other, resamples=20)
    assert [row.name for row in found.labels] == ["jealousy"]
    assert found.left_out == ("compersion", "joy", "fear")
    assert found.labels[0].b == pytest.approx(0.4)


def test_compare_refuses_different_corpora(small):
    other = answers(corpus_of(*small.annotations, sha256="b" * 64), small.probabilities)
    with pytest.raises(BadInput, match="do not hold the same passages"):
        compare(small, other)


def test_compare_refuses_models_without_a_shared_label(small):
    other = answers(corpus_of(*small.annotations), [[0.1]] * 4, labels=("fear",))
    with pytest.raises(BadInput, match="read no label in common"):
        compare(small, other)


class FakeTagger:
    """Stands for a tagger: joy wherever the text is long."""

    labels = ("joy",)
    model = "fake@2"

    def __init__(self, corpora):
        decision = Decision.identity(self.labels)
        manifest = Manifest("fake", "2", "linear", self.labels, decision.by_label, corpora=corpora)
        self.bundle = SimpleNamespace(manifest=manifest)
        self.decide = decision.decide

    def probabilities(self, texts):
        return np.array([[0.9 if len(text) > 50 else 0.1] for text in texts])


def test_predict_asks_the_tagger_and_keeps_what_is_provisional():
    corpus = corpus_of(annotation(1, felt("joy"), words=40), annotation(2, {}))
    found = predict(FakeTagger({}), corpus)
    assert (found.model, found.corpus, found.provisional, found.seen_as) == ("fake@2", "made/dev", ("joy",), None)
    assert found.decided.tolist() == [[True], [False]]
    np.testing.assert_array_equal(found.gold, gold(corpus.annotations, ("joy",)))
    assert evaluate(found, resamples=10)["joy"].f1 == 1.0
    assert evaluate(found, resamples=10).warning is None


@pytest.mark.parametrize(("use", "expected"), [("dev", "thresholds were fitted"), ("train", "the scorer was fitted")])
def test_a_corpus_seen_in_training_is_warned_of(use, expected):
    corpus = corpus_of(annotation(1, felt("joy"), words=40), annotation(2, {}))
    tagger = FakeTagger({"other name": CorpusUse(corpus.sha256, 2, use)})
    assert seen_in_training(tagger.bundle.manifest, corpus) == use
    found = evaluate(predict(tagger, corpus), resamples=10)
    assert expected in found.warning
    assert notes(found)[0] == found.warning


def test_markdown_shows_dashes_intervals_and_provisional_labels(small):
    page = to_markdown(evaluate(msgspec.structs.replace(small, provisional=("jealousy",)), resamples=50))
    lines = page.splitlines()
    assert lines[0] == "# made@1 on made/dev"
    joy = next(line for line in lines if line.startswith("| joy "))
    assert joy.startswith("| joy | 0 | 1 | – | – | – | – | – | – | 0.137 |")
    assert any(line.startswith("| jealousy * | 1 | 1 | 0.00 |") for line in lines)
    assert any(line.startswith("| felt | nothing | 2 | 0 | – |") for line in lines)
    assert any(line.startswith("- * provisional") for line in lines)
    assert "nan" not in page


def test_markdown_of_a_comparison():
    page = to_markdown(compare(noisy(), noisy(), resamples=20))
    assert page.startswith("# made@1 against made@1 on made/dev")
    assert "| macro F1 | " in page
    assert "| +0.00 | +0.00 to +0.00 | 50.0% |" in page


def test_every_table_row_is_as_wide_as_its_header(small):
    for result in (evaluate(small, resamples=10), compare(small, small, resamples=10)):
        for table in tables(result):
            assert {len(row) for row in table.rows} == {len(table.header)}


def test_json_has_null_where_a_figure_is_undefined(small):
    found = json.loads(to_json(evaluate(small, resamples=50)))
    joy = next(row for row in found["labels"] if row["name"] == "joy")
    assert (joy["f1"], joy["f1_interval"], joy["support"]) == (None, None, 0)
    assert found["micro"]["f1_interval"][0] <= found["micro"]["f1"]
    assert json.loads(to_json(compare(noisy(), noisy(), resamples=20)))["totals"][0]["difference"] == 0.0
