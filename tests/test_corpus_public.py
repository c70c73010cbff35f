"""Public sets as corpora, from a folder and as the hub gives them, and marks that are joined with their texts."""

import json
from pathlib import Path

import numpy as np
import pytest
from corpus_files import row

from compersion_nlp.corpus import gold, list_corpora, read_corpus, read_source
from compersion_nlp.corpus_checks import check_corpus
from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.labels import SCHEME
from compersion_nlp.training.train import train

datasets = pytest.importorskip("datasets")

CORPORA = Path(__file__).parent.parent / "corpora"
PUBLIC = ("brighter_eng", "goemotions", "lemotif")

SOURCE = """
title = "A set"
hub = "{hub}"
licence = "CC0"
id = "id"
labels = "labels"
splits = {{ train = "train", validation = "dev" }}
[fit]
joy = ["glee", "mirth"]
fear = ["dread"]
"""


ROWS_WITHOUT_ID = SOURCE.replace('id = "id"', "")


@pytest.fixture
def source(tmp_path):
    """Returns a function that makes the folder of a public set."""

    def write(text=SOURCE, hub="nobody/nothing", name="set"):
        folder = tmp_path / "corpora" / name
        folder.mkdir(parents=True)
        (folder / "source.toml").write_text(text.format(hub=hub))
        return folder

    return write


@pytest.fixture
def data_dir(tmp_path):
    rows = [
        {"id": "x1", "text": "ha ha", "labels": ["mirth", "calm"]},
        {"id": "x2", "text": "oh no", "labels": ["dread"]},
        {"id": "x3", "text": "bins", "labels": []},
    ]
    folder = tmp_path / "data" / "set"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder.parent


def test_a_set_is_read_from_a_folder_and_its_other_labels_are_unknown(source, data_dir):
    corpus = read_corpus(source() / "train", data_dir)
    assert corpus.name == "set/train"
    assert corpus.labels == ("joy", "fear")
    assert [a.id for a in corpus.annotations] == ["x1", "x2", "x3"]
    assert [a.feelings for a in corpus.annotations] == [{"joy": "felt"}, {"fear": "felt"}, {}]
    marks = gold(corpus.annotations, ("joy", "envy"), corpus.labels)
    np.testing.assert_array_equal(marks, np.array([[1, np.nan], [0, np.nan], [0, np.nan]], np.float32))
    assert corpus.sha256 == read_corpus(CORPORA.parent / data_dir.parent / "corpora/set/train", data_dir).sha256


def hub_folder(tmp_path, rows, features, split="train"):
    """Returns a folder that ``datasets`` reads as it reads a set on the hub."""
    folder = tmp_path / "hub"
    folder.mkdir()
    datasets.Dataset.from_list(rows, features=features).to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def test_numbers_of_labels_on_the_hub_are_turned_into_their_names(source, tmp_path):
    names = datasets.ClassLabel(names=["glee", "dread", "calm"])
    features = datasets.Features(
        {"id": datasets.Value("string"), "text": datasets.Value("string"), "labels": datasets.List(names)}
    )
    rows = [{"id": "x1", "text": "ha ha", "labels": [0, 2]}, {"id": "x2", "text": "oh no", "labels": [1, 0]}]
    corpus = read_corpus(source(hub=hub_folder(tmp_path, rows, features)) / "train")
    assert [a.feelings for a in corpus.annotations] == [{"joy": "felt"}, {"joy": "felt", "fear": "felt"}]


def test_columns_of_ones_and_noughts_are_read_as_labels(source, tmp_path):
    columns = 'columns = {{ glee = "Glee", mirth = "Mirth", dread = "Dread" }}'
    rows = [
        {"text": "ha ha", "Glee": 1, "Mirth": 0, "Dread": 0},
        {"text": "bins", "Glee": None, "Mirth": 0, "Dread": 0},
    ]
    text = ROWS_WITHOUT_ID.replace('labels = "labels"', columns)
    corpus = read_corpus(source(text, hub_folder(tmp_path, rows, None)) / "train")
    assert [(a.id, a.feelings) for a in corpus.annotations] == [("00001", {"joy": "felt"}), ("00002", {})]


def test_a_file_by_its_address_is_read_with_its_builder(source, tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text('Answer,Glee,Mirth,Dread\n"a, b",TRUE,FALSE,FALSE\nbins,FALSE,FALSE,FALSE\n')
    columns = 'text = "Answer"\ncolumns = {{ glee = "Glee", mirth = "Mirth", dread = "Dread" }}'
    text = ROWS_WITHOUT_ID.replace('labels = "labels"', columns).replace('train = "train"', f'train = "{file}"')
    corpus = read_corpus(source(text, "csv") / "train")
    assert [(a.text, a.feelings) for a in corpus.annotations] == [("a, b", {"joy": "felt"}), ("bins", {})]


def test_a_set_that_cannot_be_had_is_told_with_the_way_out(source, data_dir, tmp_path):
    folder = source(hub=tmp_path / "gone")
    with pytest.raises(BadInput, match="A set could not be fetched") as caught:
        read_corpus(folder / "train")
    assert "--data-dir" in caught.value.hint
    with pytest.raises(BadInput, match=r"validation\.jsonl is not there"):
        read_corpus(folder / "validation", data_dir)
    with pytest.raises(BadConfig, match="no split 'tset'"):
        read_corpus(folder / "tset", data_dir)


def test_a_row_without_its_column_is_refused(source, data_dir):
    (data_dir / "set" / "train.jsonl").write_text('{"id": "x1", "body": "ha ha", "labels": []}\n')
    with pytest.raises(BadConfig, match="no column 'text'"):
        read_corpus(source() / "train", data_dir)


@pytest.mark.parametrize("content", [b"{{{\n", b"\xff\xfe{\n"])
def test_what_is_no_json_is_refused(source, data_dir, content):
    (data_dir / "set" / "train.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match="cannot be read as JSON lines"):
        read_corpus(source() / "train", data_dir)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": None, "text": "ha", "labels": []}, "row 1: .*id"),
        ({"id": "x", "text": 5, "labels": []}, "row 1: .*text"),
        ({"id": "x", "text": "ha", "labels": "glee"}, "row 1: .*labels"),
        ({"id": "x", "text": "ha", "labels": [3]}, "row 1: .*labels"),
    ],
)
def test_a_row_of_the_wrong_types_is_refused(source, data_dir, row, message):
    (data_dir / "set" / "train.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(BadConfig, match=message):
        read_corpus(source() / "train", data_dir)


def test_ids_given_twice_are_refused(source, data_dir):
    (data_dir / "set" / "train.jsonl").write_text('{"id": 1, "text": "ha", "labels": []}\n' * 2)
    with pytest.raises(BadConfig, match="the id '1' is given to several"):
        read_corpus(source() / "train", data_dir)


def test_words_in_the_column_of_a_label_are_refused(source, tmp_path):
    text = ROWS_WITHOUT_ID.replace('labels = "labels"', 'columns = {{ glee = "Glee", mirth = "Glee", dread = "Glee" }}')
    rows = [{"text": "ha ha", "Glee": "no"}]
    with pytest.raises(BadConfig, match="Row 1: Glee holds the words 'no'"):
        read_corpus(source(text, hub_folder(tmp_path, rows, None)) / "train")


def test_a_number_that_is_no_label_is_refused(source, tmp_path):
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "text": datasets.Value("string"),
            "labels": datasets.List(datasets.Value("int64")),
        }
    )
    folder = hub_folder(tmp_path, [{"id": "x1", "text": "ha ha", "labels": [7]}], features)
    with pytest.raises(BadConfig, match=r"row 1: .*labels"):
        read_corpus(source(hub=folder) / "train")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("joy =", "joyy =", "joyy"),
        ('title = "A set"', "", "title"),
        ('id = "id"', 'key = "id"', "key"),
        ('labels = "labels"', "", "one of labels and columns"),
        ('labels = "labels"', 'labels = "labels"\nkind = "poem"', "kind is 'poem'"),
        ("[fit]", "[fit", "source"),
        ('train = "train"', '"../train" = "train"', "no name for a split"),
        ('labels = "labels"', 'columns = {{ glee = "g" }}', "fit names 'dread'"),
    ],
)
def test_an_unsound_source_is_refused_by_name(source, old, new, message):
    with pytest.raises(BadConfig, match=message) as caught:
        read_source(source(SOURCE.replace(old, new)))
    assert "source.toml" in caught.value.message


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_sets_of_the_project_are_described_soundly(name):
    source = read_source(CORPORA / name)
    assert source.known
    theirs = {label for labels in source.fit.values() for label in labels}
    assert not source.columns or theirs == set(source.columns)
    assert name in list_corpora(CORPORA)


def joined(write, *marks):
    path = write(*marks, name="annotations.jsonl", folder="corpora/joined")
    (path.parent / "corpus.toml").write_text('texts = ["../set/train"]')
    return path


def test_marks_are_joined_with_the_texts_of_their_ids(write, source, data_dir):
    source()
    path = joined(write, {"id": "x2", "feelings": {"envy": "felt", "joy": "denied"}, "annotator": "g1"})
    corpus = read_corpus(path, data_dir)
    assert corpus.labels == SCHEME.names
    (found,) = corpus.annotations
    assert (found.id, found.text, found.kind, found.annotator) == ("x2", "oh no", "comment", "g1")
    assert corpus.origin == "set"
    assert found.feelings == {"envy": "felt", "joy": "denied"}
    assert check_corpus([path], data_dir).measures["joined/annotations"].passages == 1


def test_a_mark_without_a_text_is_refused(write, source, data_dir):
    source()
    with pytest.raises(BadConfig, match="no passage has the id 'x9'"):
        read_corpus(joined(write, {"id": "x9", "feelings": {}}), data_dir)


def test_a_text_in_a_file_of_marks_is_refused(write, source, data_dir):
    source()
    with pytest.raises(BadConfig, match="unknown field"):
        read_corpus(joined(write, row("x1")), data_dir)


def test_marks_keep_the_group_and_kind_of_their_passages(write):
    write(row("a1", "ha ha", kind="journal", group="writer7", manner="plain"), folder="corpora/set")
    path = write({"id": "a1", "feelings": {"joy": "felt"}}, name="marks.jsonl", folder="corpora/joined")
    (path.parent / "corpus.toml").write_text('texts = ["../set/train.jsonl"]')
    (found,) = read_corpus(path).annotations
    assert (found.text, found.kind, found.group, found.manner) == ("ha ha", "journal", "writer7", "plain")
    assert check_corpus([path]).without_texts == ()


def test_marks_cannot_take_their_texts_from_marks_or_from_two_folders(write):
    path = write({"id": "a1", "feelings": {}}, name="marks.jsonl", folder="corpora/joined")
    for texts in ('["marks.jsonl"]', '["../one/train.jsonl", "../other/train.jsonl"]'):
        (path.parent / "corpus.toml").write_text(f"texts = {texts}")
        with pytest.raises(BadConfig, match="must lie in one folder"):
            read_corpus(path)


def test_sources_do_not_share_an_id(write):
    write(row("a1"), folder="corpora/set")
    write(row("a1"), folder="corpora/set", name="dev.jsonl")
    path = write({"id": "a1", "feelings": {}}, name="marks.jsonl", folder="corpora/joined")
    (path.parent / "corpus.toml").write_text('texts = ["../set/train.jsonl", "../set/dev.jsonl"]')
    with pytest.raises(BadConfig, match="share the id 'a1'"):
        read_corpus(path)


def test_training_does_not_take_marks_for_passages_that_are_calibrated_on(write, source, data_dir, tmp_path):
    source()
    joined(write, {"id": "x2", "feelings": {"joy": "felt"}})
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'format = 1\nname = "leak"\nversion = "1"\n[scorer]\nname = "linear"\n'
        '[data]\ntrain = ["corpora/set/train"]\ndev = ["corpora/joined/annotations.jsonl"]\n'
    )
    with pytest.raises(BadConfig, match="both in train and in dev"):
        train(recipe, tmp_path / "leak", data_dir=data_dir)


def test_an_unsound_set_does_not_end_the_listing(source):
    folder = source(SOURCE.replace("[fit]", "[fit"))
    assert list_corpora(folder.parent) == {"set": (folder / "source.toml",)}
