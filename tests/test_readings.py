"""Readings column by column: they say what readings one by one say, joined, packed and unpacked too."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.readings import PackedReadings, Readings
from compersion_nlp.records import Finding, Mention, Reading, Span

TIERS = ("fast", "good")
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
UNFELT = [None, *(stance for stance in SCHEME.stance_names if stance != FELT)]


@st.composite
def several(draw, least=1):
    """Readings of one model: all explained, or none of them."""
    labels = draw(st.lists(st.sampled_from(SCHEME.names), unique=True, min_size=1, max_size=4))
    provisional = draw(st.sets(st.sampled_from(labels)))
    explained = draw(st.booleans())
    spans = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: Span(min(pair), max(pair)))

    def finding(label):
        stance = draw(st.sampled_from([FELT, *(UNFELT if explained else [None])]))
        evidence = draw(st.lists(spans, max_size=2)) if explained and stance == FELT else ()
        stances = st.sampled_from([one for one in SCHEME.stance_names if one != FELT])
        mentions = draw(st.lists(st.builds(Mention, st.just(label), stances, spans), max_size=2)) if explained else ()
        probability = draw(st.floats(0, 1))
        return Finding(label, probability, stance, tuple(evidence), tuple(mentions), label in provisional)

    n = draw(st.integers(least, 5))
    return [Reading("text", tuple(map(finding, labels)), "made@1", explained) for _ in range(n)]


def rows(readings):
    return [reading.to_row() for reading in readings]


def tiered(readings):
    return Readings.of(readings, TIERS, np.arange(len(readings), dtype=np.int64) % 2)


def pack(readings):
    """Returns readings that were on a disk and back."""
    encoded = msgspec.msgpack.encode(PackedReadings.of(readings))
    return msgspec.msgpack.decode(encoded, type=PackedReadings).unpack()


@quick
@given(several())
def test_columns_give_the_rows_that_the_readings_give(readings):
    columns = Readings.of(readings)
    assert list(columns.rows()) == rows(readings)
    assert len(columns) == len(readings)


@quick
@given(several())
def test_columns_give_the_readings_back(readings):
    assert [Reading.from_row(row, "text").to_row() for row in Readings.of(readings).rows()] == rows(readings)


@quick
@given(several())
def test_one_row_and_columns_of_it_say_the_same(readings):
    (row, *_) = rows(readings)
    columns = Readings.of_row(row)
    assert list(columns.rows()) == [row]
    assert (columns.probabilities.dtype, columns.felt.dtype) == (np.float64, np.bool_)


@quick
@given(several(least=2), st.data())
def test_readings_in_parts_joined_are_the_readings_of_all(readings, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(readings) - 1))))
    edges = [0, *cuts, len(readings)]
    whole = tiered(readings)
    parts = [Readings.of(readings[start:end], TIERS, whole.tier[start:end]) for start, end in pairwise(edges)]
    joined = Readings.join(parts)
    assert list(joined.rows()) == rows(readings)
    assert joined.tier.tolist() == whole.tier.tolist()
    assert joined.by_tier() == whole.by_tier()


@quick
@given(several())
def test_packed_readings_are_unpacked_as_they_were(readings):
    before = tiered(readings)
    after = pack(before)
    assert list(after.rows()) == rows(readings)
    assert np.array_equal(after.probabilities, before.probabilities)
    assert (after.model, after.labels, after.provisional) == (before.model, before.labels, before.provisional)
    assert (after.tiers, after.tier.tolist(), after.by_tier()) == (TIERS, before.tier.tolist(), before.by_tier())


@quick
@given(several())
def test_packing_again_gives_the_same_bytes(readings):
    once = msgspec.msgpack.encode(PackedReadings.of(tiered(readings)))
    assert msgspec.msgpack.encode(PackedReadings.of(pack(tiered(readings)))) == once


@quick
@given(several())
def test_felt_labels_are_those_of_the_readings(readings):
    assert Readings.of(readings).felt_labels() == [list(reading.felt) for reading in readings]


def test_passages_are_counted_by_the_scorer_that_they_came_to():
    reading = Reading("text", (Finding("joy", 0.5),), "made@1", explained=False)
    columns = Readings.of([reading] * 5, (*TIERS, "best"), np.array([1, 0, 1, 1, 0]))
    assert columns.by_tier() == {"fast": 2, "good": 3, "best": 0}
    assert Readings.of([reading]).by_tier() == {}


@pytest.mark.parametrize("explained", [True, False])
def test_a_row_without_an_explanation_gets_none(explained):
    row = Reading("text", (Finding("joy", 0.9, FELT, (Span(0, 4),) * explained),), "made@1", explained).to_row()
    columns = pack(Readings.join([Readings.of_row(row), Readings.of_row(row)]))
    assert list(columns.rows()) == [row, row]
    assert all(("evidence" in found) == explained for found in columns.rows())


def test_readings_of_no_passages_can_be_packed():
    none = Readings("made@1", ("joy", "fear"), np.empty((0, 2)), np.empty((0, 2), np.bool_), ("joy",))
    after = pack(none)
    assert (len(after), list(after.rows()), after.felt.shape) == (0, [], (0, 2))


def test_arrays_that_are_not_laid_out_row_by_row_are_packed_row_by_row():
    probabilities = np.asfortranarray(np.arange(6).reshape(3, 2) / 10)
    columns = Readings("made@1", ("joy", "fear"), probabilities, np.asfortranarray(probabilities > 0.2))
    assert np.array_equal(pack(columns).probabilities, probabilities)
    assert np.array_equal(pack(columns).felt, probabilities > 0.2)
