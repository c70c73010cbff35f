"""Corpora: strict reading, marks as an array, splits that keep groups whole, and the checks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.corpus import (
    Corpus,
    corpus_name,
    deal_folds,
    gold,
    length_band,
    list_corpora,
    read_corpus,
    split_by_group,
)
from compersion_nlp.corpus_checks import check_corpus, describe_corpus
from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Annotation

RELATIONAL = Path(__file__).parent.parent / "corpora" / "relational"


def row(id="a1", text="The kettle is on and nobody is home.", kind="comment", group=None, feelings=None, **more):
    return {"id": id, "text": text, "kind": kind, "group": group or id, "feelings": feelings or {}, **more}


@pytest.fixture
def write(tmp_path):
    def write(*rows, name="train.jsonl", folder="made"):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write


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


def problems(*paths):
    return [(problem.check, problem.where) for problem in check_corpus(paths).problems]


def test_checks_pass_a_sound_corpus(write):
    report = check_corpus([write(row(feelings={"joy": "felt"}), row("a2", "Bins go out on Tuesday, blue ones only."))])
    assert report.sound
    assert report.passages == {"made/train": 2}
    assert report.stances["joy"]["felt"] == 1


def test_checks_report_every_bad_line_and_go_on(write):
    path = write(
        row(), "{", row("a2", "Bins go out on Tuesday.", mood="glum"), row("a3", "The cat was sick.", kind="poem")
    )
    assert problems(path) == [
        ("schema", "made/train, line 2"),
        ("schema", "made/train, line 3"),
        ("kind", "made/train, line 4"),
    ]


def test_checks_find_ids_used_twice_over_files(write):
    one, other = write(row("a1")), write(row("a1", "Bins go out on Tuesday.", group="g"), name="dev.jsonl")
    report = check_corpus([one, other])
    assert [problem.message for problem in report.problems] == ["the id 'a1' is taken by made/train, line 1"]


def test_checks_find_blank_texts_and_odd_manners(write):
    report = check_corpus([write(row("a1", " \n"), row("a2", manner="loud"))])
    assert [problem.check for problem in report.problems] == ["empty", "manner"]
    assert "text must not be blank" in report.problems[0].message


def test_checks_find_groups_in_two_files(write):
    one = write(row("a1", group="g"))
    other = write(row("a2", "Bins go out on Tuesday.", group="g"), name="dev.jsonl")
    assert problems(one, other) == [("groups", "made/dev, line 1")]


def test_checks_find_near_duplicates_in_different_groups_only(write):
    text = "We went to the lake with her sister and he carried both of the bags all the way."
    path = write(
        row("a1", text, group="g"),
        row("a2", text.replace("lake", "river"), group="g"),
        row("a3", text.upper().replace("SISTER", "BROTHER") + "  ", group="h"),
    )
    report = check_corpus([path])
    assert {problem.check for problem in report.problems} == {"duplicates"}
    assert [problem.message.split(" (")[0] for problem in report.problems] == [
        "a3 reads like a1",
        "a3 reads like a2",
    ]
    assert not any("lake" in problem.message for problem in report.problems)  # a report quotes no text


def test_checks_find_short_exact_duplicates(write):
    assert problems(write(row("a1", "lol"), row("a2", "LOL"))) == [("duplicates", "made/train, line 2")]


def test_checks_find_phrases_of_the_scheme_whatever_the_quotes(write):
    report = check_corpus(
        [write(row("a1", "And I can’t stop  thinking about KISSING her."), row("a2", "I was livid!"))]
    )
    assert [problem.check for problem in report.problems] == ["signs"]
    assert report.short_signs == ("made/train, line 2: 'I was livid'",)


def test_describe_counts_stances_bands_and_pairs():
    annotations = (
        Annotation("a", "one two", "journal", "g", {"joy": "felt", "fear": "felt", "envy": "past"}, manner="plain"),
        Annotation("b", "word " * 70, "comment", "g", {"joy": "felt", "fear": "felt"}),
        Annotation("c", "bins", "comment", "h", {"joy": "other"}),
    )
    found = describe_corpus(Corpus("made/train", annotations))
    assert (found.passages, found.groups, found.nothing_felt) == (3, 2, 1)
    assert found.kinds == {"journal": 1, "comment": 2}
    assert found.manners == {"plain": 1, "not recorded": 2}
    assert found.lengths == {"under 20 words": 2, "60 to 149 words": 1}
    assert (found.median_words, found.longest_words) == (2.0, 70)
    assert found.stances["joy"]["felt"] == 2
    assert found.stances["envy"]["past"] == 1
    assert found.together == (("joy", "fear", 2),)


def test_the_relational_corpus_is_sound():
    report = check_corpus([RELATIONAL / "train.jsonl", RELATIONAL / "dev.jsonl"])
    assert report.problems == ()
    assert min(report.stances[label]["felt"] for label in SCHEME.names) >= 50


def test_the_relational_card_counts_what_is_there():
    card = (RELATIONAL / "card.md").read_text("utf-8")
    for name in ("train", "dev"):
        found = describe_corpus(read_corpus(RELATIONAL / f"{name}.jsonl"))
        assert f"| `{name}.jsonl` | {found.passages} | {found.groups} | {found.nothing_felt} |" in card
