import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.errors import BadConfig, UnknownLabel
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Annotation, Finding, Mention, Reading, Span

TEXT = "He came home glowing and I grinned. Jealous? Not tonight."


def reading(**changes):
    findings = (
        Finding("compersion", 0.94, "felt", (Span(0, 35),)),
        Finding("joy", 0.1),
        Finding("jealousy", 0.3, "denied", (), (Mention("jealousy", "denied", Span(36, 43)),), provisional=True),
    )
    return Reading(**{"text": TEXT, "findings": findings, "model": "tiny@1", **changes})


def test_a_reading_answers_by_label():
    read = reading()
    assert read.felt == ("compersion",)
    assert read["compersion"].probability == 0.94
    assert read["compersion"].evidence == (Span(0, 35),)
    assert read["jealousy"].stance == "denied"
    assert read.stances == {"compersion": "felt", "jealousy": "denied"}
    assert [finding.label for finding in read] == ["compersion", "joy", "jealousy"]


def test_a_reading_prints_what_is_felt_and_what_is_mentioned():
    assert str(reading()) == "compersion 0.94; mentioned: jealousy (denied)"
    assert str(reading(findings=(Finding("joy", 0.1),))) == "nothing felt"


def test_a_label_that_the_bundle_does_not_know_is_not_a_zero():
    with pytest.raises(UnknownLabel, match=r"tiny@1 does not read 'shame'[\s\S]*compersion, joy, jealousy"):
        reading()["shame"]
    with pytest.raises(KeyError):
        reading()["no such label"]


def test_a_reading_survives_its_row_through_json():
    row = json.loads(json.dumps(reading().to_row()))
    assert Reading.from_row(row, TEXT) == reading()


def test_a_reading_without_explanation_survives_its_row():
    bare = reading(findings=(Finding("compersion", 0.94, "felt"), Finding("joy", 0.1)), explained=False)
    row = bare.to_row()
    assert "stances" not in row
    assert Reading.from_row(row, TEXT) == bare


_spans = st.builds(lambda start, length: Span(start, start + length), st.integers(0, 50), st.integers(1, 50))


@st.composite
def _findings(draw):
    labels = draw(st.lists(st.sampled_from(SCHEME.names), unique=True))
    found = []
    for label in labels:
        mentions = draw(st.lists(st.builds(Mention, st.just(label), st.sampled_from(SCHEME.stance_names), _spans)))
        mentions = sorted(set(mentions), key=lambda mention: mention.span)
        others = [mention.stance for mention in mentions if mention.stance != "felt"]
        stance = "felt" if draw(st.booleans()) else (SCHEME.strongest(others) if others else None)
        evidence = tuple(draw(st.lists(_spans, min_size=1, max_size=3))) if stance == "felt" else ()
        probability = round(draw(st.floats(0, 1)), 4)
        found.append(Finding(label, probability, stance, evidence, tuple(mentions), draw(st.booleans())))
    return tuple(found)


@settings(max_examples=60, deadline=None)
@given(_findings())
def test_any_reading_survives_its_row(findings):
    whole = Reading(TEXT, findings, "m@1")
    back = Reading.from_row(msgspec.json.decode(msgspec.json.encode(whole.to_row())), TEXT)
    assert {finding.label: finding for finding in back} == {
        finding.label: msgspec.structs.replace(
            finding, mentions=tuple(sorted(finding.mentions, key=lambda mention: mention.span))
        )
        for finding in findings
    }


def test_a_row_that_is_no_reading_is_refused_with_the_key():
    with pytest.raises(BadConfig, match=r"not a reading.*\$\.probabilities"):
        Reading.from_row({"felt": [], "probabilities": {"joy": "high"}, "model": "m"}, TEXT)


ROW = {"felt": ["joy"], "probabilities": {"joy": 0.9, "fear": 0.1}, "model": "m", "stances": {"joy": "felt"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"felt": []}, "do not agree on what is felt"),
        ({"stances": {"joy": "felt", "fear": "felt"}}, "do not agree on what is felt"),
        ({"stances": {"joy": "felt", "fear": "maybe"}}, "'maybe' is no stance"),
        ({"mentions": [["fear", "maybe", [0, 1]]]}, "'maybe' is no stance"),
        ({"mentions": [["envy", "past", [0, 1]]]}, "'envy' has no probability"),
        ({"evidence": {"envy": [[0, 1]]}}, "'envy' has no probability"),
        ({"probabilities": {"joy": 0.9, "glee": 0.1}}, "`$.probabilities` names 'glee', which is no label"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(change, message):
    assert Reading.from_row(ROW, TEXT).felt == ("joy",)
    with pytest.raises(BadConfig, match="This row is not a reading") as caught:
        Reading.from_row({**ROW, **change}, TEXT)
    assert message in caught.value.message


def test_readings_cannot_be_changed():
    with pytest.raises(AttributeError):
        reading().text = "other"


def test_an_annotation_lists_its_felt_labels_in_scheme_order():
    marks = {"jealousy": "felt", "joy": "other", "compersion": "felt"}
    assert Annotation("a", "t", "journal", "a", marks).felt == ("compersion", "jealousy")
