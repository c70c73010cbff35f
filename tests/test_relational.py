"""The corpora that the project ships, and what their cards say of them."""

from pathlib import Path

import pytest

from compersion_nlp.corpus import corpus_bytes, read_corpus, read_lines, read_settings, without_text
from compersion_nlp.corpus_checks import check_corpus, compare_readers, describe_corpus
from compersion_nlp.labels import SCHEME

CORPORA = Path(__file__).parent.parent / "corpora"
RELATIONAL = CORPORA / "relational"
BLIND = CORPORA / "relational_blind"
SPLITS = ("train", "dev", "test", "contrast")


def test_every_file_of_the_relational_corpus_is_bounded():
    assert set(read_settings(RELATIONAL).files) == set(SPLITS) == {path.stem for path in RELATIONAL.glob("*.jsonl")}


@pytest.mark.parametrize("name", SPLITS)
def test_the_card_counts_what_is_there(name):
    found = describe_corpus(read_corpus(RELATIONAL / f"{name}.jsonl"))
    card = (RELATIONAL / "card.md").read_text("utf-8")
    assert f"| `{name}.jsonl` | {found.passages:,} | {found.groups:,} | {found.nothing_felt:,} |" in card


def test_members_of_a_contrast_differ_in_their_marks():
    groups = {}
    for annotation in read_corpus(RELATIONAL / "contrast.jsonl").annotations:
        groups.setdefault(annotation.group, []).append(annotation.feelings)
    for group, marks in groups.items():
        assert 2 <= len(marks) <= 4, group
        assert any(one != marks[0] for one in marks), group


def test_dev_and_test_were_marked_twice_and_agreement_is_what_the_card_says():
    found = compare_readers(BLIND / "first.jsonl", BLIND / "second.jsonl")
    passages = [read_corpus(RELATIONAL / f"{name}.jsonl").annotations for name in ("dev", "test")]
    assert found.passages == sum(map(len, passages))
    card = (RELATIONAL / "card.md").read_text("utf-8")
    for label in found.labels:
        assert (
            f"| {label.name} | {label.first} | {label.second} | {label.both} | {label.kappa:.2f} | {label.f1:.2f} |"
            in card
        )


def test_feelings_of_public_comments_are_sound_and_come_without_text():
    paths = [CORPORA / "goemotions_feelings" / f"{split}.jsonl" for split in ("train", "dev", "test")]
    report = check_corpus(paths)
    assert report.problems == ()
    assert sum(report.passages.values()) == 4100
    for path in paths:
        lines = list(read_lines(corpus_bytes(path), SCHEME.names, without_text))
        assert all(line.annotation is not None for line in lines)
        assert b'"text"' not in corpus_bytes(path)
