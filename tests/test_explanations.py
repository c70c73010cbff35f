"""Figures on explanations: stances that are right, evidence that overlaps the marked sentence, labels that fall."""

import json

import numpy as np
import pytest
from test_tagger import WordScorer, tagger_of

from compersion_nlp.corpus import read_corpus
from compersion_nlp.errors import BadConfig
from compersion_nlp.evaluate import find_marks, judge_explanations, notes, tables
from compersion_nlp.evaluate.explanations import read_evidence

TEXTS = [
    ("A bus. I was glad.", {"joy": "felt", "jealousy": "other"}),
    ("He was jealous. So glad.", {"joy": "felt", "jealousy": "other"}),
    ("I am not jealous.", {"jealousy": "denied"}),
    ("I used to be jealous.", {"jealousy": "denied"}),
]


@pytest.fixture
def path(write):
    rows = [
        {"id": f"p{i}", "text": text, "kind": "comment", "group": f"p{i}", "feelings": marks}
        for i, (text, marks) in enumerate(TEXTS)
    ]
    path = write(*rows)
    (path.parent / "corpus.toml").write_text('labels = ["joy", "jealousy"]\n')
    marks = path.parent / "evidence" / path.name
    marks.parent.mkdir()
    lines = [{"id": "p0", "evidence": {"joy": [[7, 18]]}}, {"id": "p1", "evidence": {"joy": [[0, 15]]}}]
    marks.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.fixture
def found(path):
    return judge_explanations(tagger_of(WordScorer()), read_corpus(path), find_marks(path))


def test_a_stance_is_right_where_the_reading_gives_it(found):
    scores = {score.stance: score for score in found.stances}
    assert (scores["denied"].support, scores["denied"].read, scores["denied"].f1) == (2, 1, pytest.approx(2 / 3))
    assert (scores["other"].support, scores["other"].read, scores["other"].precision) == (2, 1, 1.0)
    assert found.stance_macro_f1 == pytest.approx(np.mean([2 / 3, 2 / 3]))
    assert "felt" not in scores


def test_evidence_overlaps_a_marked_sentence_or_not(found):
    assert (found.overlap.hits, found.overlap.cases) == (1, 2)


def test_a_label_falls_when_its_evidence_is_taken_out(found):
    assert (found.falls.hits, found.falls.cases) == (2, 2)


def test_a_reading_of_one_mind_has_no_contradiction(found):
    assert found.contradictions == 0


def test_without_marks_nothing_is_said_of_overlap(path):
    found = judge_explanations(tagger_of(WordScorer()), read_corpus(path))
    assert found.overlap is None
    assert [row[0] for row in tables(found)[1].rows] == ["falls without its evidence"]
    assert any("Readings in which" in note for note in notes(found))


@pytest.mark.parametrize(
    ("line", "message"),
    [('{"id": "p0"}', "missing required field `evidence`"), ('{"id": "p0", "evidence": {"glee": []}}', "'glee'")],
)
def test_evidence_that_is_not_sound_is_refused(tmp_path, line, message):
    (tmp_path / "test.jsonl").write_text(line)
    with pytest.raises(BadConfig, match=rf"test.jsonl, line 1: [\s\S]*{message}"):
        read_evidence(tmp_path / "test.jsonl")
