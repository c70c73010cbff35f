"""Corpora: strict reading, marks as an array, and splits that keep groups whole."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from corpus_files import row
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.corpus import (
    corpus_name,
    deal_folds,
    gold,
    length_band,
    list_corpora,
    read_corpus,
    split_by_group,
)
from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Annotation


def test_read_corpus_keeps_order_marks_name_and_digest(write):
    path = write(row("a1", feelings={"joy": "felt"}, manner="plain"), row("a2", annotator="s1"))
    corpus = read_corpus(path)
    assert [annotation.id for annotation in corpus.annotations] == ["a1", "a2"]
    assert corpus.annotations[0].felt == ("joy",)
    assert corpus.annotations[0].manner == "plain"
    assert corpus.name == corpus_name(path) == "made/train"
    assert corpus.labels == SCHEME.names
    assert corpus.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (row(feelings={"joy": 1}), "$.feelings"),
        (row(mood="glum"), "unknown field `mood`"),
        ({"id": "a1"}, "missing required field `text`"),
        (row(feelings={"jelousy": "felt"}), "no label 'jelousy'"),
        (row(feelings={"joy": "maybe"}), "no stance 'maybe'"),
        ("{", "truncated"),
        ('{"id": "\\ud800"}', ""),
    ],
)
def test_read_corpus_names_file_line_and_key(write, bad, expected):
    path = write(row("b1"), "", bad)
    with pytest.raises(BadConfig) as caught:
        read_corpus(path)
    assert f"{path}, line 3: " in caught.value.message
    assert expected in caught.value.message


def test_read_corpus_refuses_repeated_ids(write):
    with pytest.raises(BadConfig, match="the id 'a1' is given to several passages"):
        read_corpus(write(row("a1"), row("a2"), row("a1")))


def test_read_corpus_refuses_an_empty_file(write):
    with pytest.raises(BadConfig, match="holds no passages"):
        read_corpus(write(""))


def test_read_corpus_names_the_files_of_a_folder(write):
    path = write(row())
    with pytest.raises(BadConfig, match=r"train\.jsonl"):
        read_corpus(path.parent)


def test_read_corpus_refuses_a_missing_file(tmp_path):
    with pytest.raises(BadConfig, match="cannot be read"):
        read_corpus(tmp_path / "gone.jsonl")


def test_labels_file_limits_what_is_known(write):
    path = write(row(feelings={"fear": "felt"}))
    (path.parent / "corpus.toml").write_text('labels = ["fear", "joy"]')
    corpus = read_corpus(path)
    assert corpus.labels == ("joy", "fear")  # scheme order
    marks = gold(corpus.annotations, ("fear", "envy", "joy"), corpus.labels)
    np.testing.assert_array_equal(marks, np.array([[1, np.nan, 0]], np.float32))


def test_a_mark_outside_the_labels_file_is_refused(write):
    path = write(row(feelings={"envy": "felt"}))
    (path.parent / "corpus.toml").write_text('labels = ["fear"]')
    with pytest.raises(BadConfig, match="does not annotate 'envy'"):
        read_corpus(path)


@pytest.mark.parametrize("content", ['labels = ["joyy"]', "labels = 3", "labels = [", 'label = ["joy"]'])
def test_an_unsound_labels_file_is_refused_by_name(write, content):
    path = write(row())
    (path.parent / "corpus.toml").write_text(content)
    with pytest.raises(BadConfig, match=r"corpus\.toml"):
        read_corpus(path)


def test_gold_counts_only_felt(write):
    annotations = read_corpus(write(row(feelings={"joy": "felt", "envy": "denied"}))).annotations
    marks = gold(annotations, ("joy", "envy"))
    assert marks.dtype == np.float32
    assert marks.tolist() == [[1.0, 0.0]]


def test_gold_of_nothing_has_its_columns():
    assert gold((), ("joy", "fear")).shape == (0, 2)


def annotations_of(groups):
    return [Annotation(f"p{i}", "text", "comment", group, {}) for i, group in enumerate(groups)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=60),
    st.floats(0.05, 0.95),
    st.integers(0, 2**40),
)
def test_split_keeps_groups_whole_and_shares_close(groups, share, seed):
    annotations = annotations_of(groups)
    rest, held = split_by_group(annotations, share, seed)
    assert not {a.group for a in rest} & {a.group for a in held}
    assert sorted(a.id for a in rest + held) == sorted(a.id for a in annotations)
    largest = max(groups.count(group) for group in groups)
    assert share * len(groups) - largest < len(held) <= share * len(groups)
    assert split_by_group(annotations, share, seed) == (rest, held)


def test_split_depends_on_the_seed_and_not_on_the_order():
    annotations = annotations_of([f"g{i}" for i in range(40)])
    _, one = split_by_group(annotations, 0.25, 1)
    _, other = split_by_group(annotations, 0.25, 2)
    _, turned = split_by_group(annotations[::-1], 0.25, 1)
    assert {a.id for a in one} != {a.id for a in other}
    assert {a.id for a in one} == {a.id for a in turned}


def test_folds_keep_groups_whole_and_are_all_used():
    groups = [f"g{i // 3}" for i in range(60)]
    dealt = deal_folds(groups, 5, seed=1)
    assert sorted(np.bincount(dealt).tolist()) == [12, 12, 12, 12, 12]
    assert len(set(zip(groups, dealt.tolist(), strict=True))) == 20
    assert dealt.tolist() != deal_folds(groups, 5, seed=2).tolist()


def test_more_folds_than_groups_are_refused():
    with pytest.raises(BadConfig, match="There are 2 groups for 3 folds"):
        deal_folds(["a", "b", "b"], 3, seed=0)


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5])
def test_split_refuses_shares_outside_zero_to_one(share):
    with pytest.raises(BadConfig, match="between 0 and 1"):
        split_by_group(annotations_of("ab"), share, 0)


def test_length_bands():
    assert [length_band(n) for n in (0, 19, 20, 59, 60, 149, 150)] == [
        "under 20 words",
        "under 20 words",
        "20 to 59 words",
        "20 to 59 words",
        "60 to 149 words",
        "60 to 149 words",
        "150 words and more",
    ]


def test_list_corpora_gives_folders_that_hold_json_lines(write, tmp_path):
    train, dev = write(row()), write(row(), name="dev.jsonl")
    (tmp_path / "notes").mkdir()
    assert list_corpora(tmp_path) == {"made": (dev, train)}


def test_a_folder_of_behavioural_tests_is_not_listed_as_a_corpus(write, tmp_path):
    write({}, name="functionality.jsonl", folder="behaviour")
    write(row(), name="train.jsonl", folder="made")
    assert list(list_corpora(tmp_path)) == ["made"]
