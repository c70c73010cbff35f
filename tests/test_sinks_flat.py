"""Readings as flat columns and back, in memory and through every flat format."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.errors import BadInput
from compersion_nlp.labels import SCHEME
from compersion_nlp.readings import Readings
from compersion_nlp.records import Finding, Mention, Passage, Reading, Span
from compersion_nlp.sinks import open_sink
from compersion_nlp.sinks.flat import flat_columns, flatten, unflatten
from compersion_nlp.sources import Kind, ReadOptions, open_source

TEXT = "I wasn't jealous. I was glad."
spans = st.tuples(st.integers(0, 12), st.integers(13, 29)).map(lambda pair: Span(*pair))


@st.composite
def findings(draw, label, explained):
    mentions = tuple(
        Mention(label, draw(st.sampled_from(SCHEME.stance_names)), span)
        for span in sorted(draw(st.lists(spans, max_size=2)))
    )
    felt = draw(st.booleans())
    other = draw(st.none() | st.sampled_from(SCHEME.stance_names[1:])) if explained else None
    return Finding(
        label=label,
        probability=draw(st.floats(0, 1)),
        stance="felt" if felt else other,
        evidence=tuple(draw(st.lists(spans, max_size=2))) if explained else (),
        mentions=mentions if explained else (),
        provisional=draw(st.booleans()),
    )


@st.composite
def readings(draw):
    explained = draw(st.booleans())
    labels = [label for label in SCHEME.names if draw(st.booleans())]
    found = tuple(draw(findings(label, explained)) for label in labels)
    model = draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    return Reading(TEXT, found, model, explained)


def test_columns_are_named_for_the_labels():
    assert list(flat_columns(["joy", "envy"], explained=False)) == ["felt", "model", "p_joy", "p_envy", "provisional"]
    assert list(flat_columns(["joy"], explained=True)) == [
        "felt",
        "model",
        "p_joy",
        "stance_joy",
        "evidence",
        "mentions",
        "provisional",
    ]


def cells(reading, labels):
    flat = flatten(Readings.of_row(reading.to_row()), labels, explained=True)
    return {name: cell for name, (cell,) in flat.items()}


def test_a_reading_is_flat():
    reading = Reading(
        TEXT,
        (
            Finding("joy", 0.9, "felt", (Span(18, 29),), (Mention("joy", "felt", Span(24, 28)),)),
            Finding("love", 0.5, "felt", provisional=True),
            Finding("jealousy", 0.1),
        ),
        "base@1.0",
    )
    flat = cells(reading, ["joy", "love", "jealousy"])
    assert flat == {
        "felt": "joy;love",
        "model": "base@1.0",
        "p_joy": 0.9,
        "p_love": 0.5,
        "p_jealousy": 0.1,
        "stance_joy": "felt",
        "stance_love": "felt",
        "stance_jealousy": None,
        "evidence": '{"joy":[[18,29]]}',
        "mentions": '[["joy","felt",[24,28]]]',
        "provisional": "love",
    }
    assert list(flat) == list(flat_columns(["joy", "love", "jealousy"], explained=True))


@given(readings())
@settings(deadline=None, max_examples=60)
def test_unflatten_undoes_flatten(reading):
    flat = cells(reading, SCHEME.names)
    assert Reading.from_row(unflatten(flat), TEXT) == reading


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.parquet", "a.sqlite"])
@given(st.lists(readings(), min_size=1, max_size=3))
@settings(deadline=None, max_examples=20)
def test_readings_survive_a_file(tmp_path_factory, name, found):
    path = tmp_path_factory.mktemp("flat") / name
    with open_sink(path, {"text": Kind.STR, "p_value": Kind.STR}, SCHEME.names, explained=True) as sink:
        for reading in found:
            sink.write(Passage(TEXT, columns={"text": TEXT, "p_value": "0.05"}), reading.to_row())
    items = open_source([path], ReadOptions(text_column="text"))
    assert [Reading.from_row(unflatten(item.columns), item.text) for item in items] == found


def test_columns_without_a_reading_are_an_error():
    with pytest.raises(BadInput, match="hold no reading"):
        unflatten({"text": "a"})


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"p_joy": "high"}, "Column p_joy: 'high' is not a probability"),
        ({"evidence": "{"}, "Column evidence: '{' is not"),
    ],
)
def test_a_cell_that_is_off_is_an_error_that_names_its_column(cell, message):
    with pytest.raises(BadInput, match=message):
        unflatten({"felt": "", "model": "m@1"} | cell)
