"""Text files by line, and folders of entries with front matter and dates."""

import base64
import os
from datetime import date

import pytest

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources import ReadOptions, open_source


@pytest.fixture
def entry(tmp_path):
    def entry(content, name="entry.md", **options):
        path = tmp_path / "journal" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        (item,) = open_source([tmp_path / "journal"], ReadOptions(**options))
        return item

    return entry


def test_a_text_file_is_a_passage_a_line(tmp_path):
    path = tmp_path / "a.TXT"
    path.write_bytes(b"one\r\n\n  \n two \nlast")
    items = list(open_source([path]))
    assert [(item.number, item.columns) for item in items] == [
        (1, {"text": "one", "line": 1}),
        (2, {"text": " two ", "line": 4}),
        (3, {"text": "last", "line": 5}),
    ]


def test_an_invalid_line_is_rejected(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9\nfine\n")
    first, second = open_source([tmp_path / "a.txt"])
    assert (first.raw, base64.b64decode(first.raw_base64)) == (r"caf\xe9", b"caf\xe9")
    assert second.text == "fine"


def test_a_folder_is_a_passage_a_file_sorted_by_path(tmp_path):
    for name in ("b.txt", "a/z.md", "a/b/c.TXT", "a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"in {name}\n\nmore")
    items = list(open_source([tmp_path]))
    assert [item.id for item in items] == ["a/b/c.TXT", "a/z.md", "b.txt"]
    assert items[2].columns == {"path": "b.txt", "date": None, "text": "in b.txt\n\nmore"}


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(BadInput, match=r"holds no entry[\s\S]*\.txt or \.md"):
        open_source([tmp_path])


def test_a_markdown_file_is_an_entry_as_in_a_folder(tmp_path):
    (tmp_path / "2024-03-09 lake.MD").write_text("---\ntitle: The lake\n---\nWe swam.\n\nAll day.\n")
    (passage,) = open_source([tmp_path / "2024-03-09 lake.MD"])
    assert passage.text == "We swam.\n\nAll day.\n"
    assert (passage.columns["date"], passage.columns["title"]) == (date(2024, 3, 9), "The lake")


def test_a_markdown_file_is_read_by_lines_where_that_is_asked_for(tmp_path):
    (tmp_path / "a.md").write_text("one\ntwo\n")
    assert [item.text for item in open_source([tmp_path / "a.md"], ReadOptions(format="text"))] == ["one", "two"]


def test_a_rejected_row_names_its_file_where_there_are_several(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "empty.md").write_text(" ")
    one, two = open_source([tmp_path / "a.txt", tmp_path / "diary"])
    assert (one.source, two.source) == (str(tmp_path / "a.txt"), str(tmp_path / "diary" / "empty.md"))
    (alone,) = open_source([tmp_path / "a.txt"])
    assert alone.source == ""


def test_front_matter_becomes_columns(entry):
    passage = entry("---\ntitle: 'The lake'\ndate: 2024-03-09\nmood: no\ntags: [a, b]\nn: 007\n---\n\nWe swam.\n")
    assert passage.text == "We swam.\n"
    assert passage.columns == {
        "path": "entry.md",
        "date": date(2024, 3, 9),
        "title": "The lake",
        "mood": "no",
        "tags": ["a", "b"],
        "n": "007",
        "text": "We swam.\n",
    }


def test_a_title_from_the_front_matter_can_be_joined(entry):
    content = "---\r\ntitle: The lake\r\n---\r\nWe swam."
    assert entry(content, title_columns=("title",)).text == "The lake\n\nWe swam."
    assert entry("We swam.", title_columns=("title",)).text == "We swam."


def test_another_column_can_be_the_id(entry):
    assert entry("---\nslug: lake\n---\nWe swam.", id_column="slug").id == "lake"


@pytest.mark.parametrize(
    "block",
    [
        "- a\n- b",
        "only words",
        "a: [unclosed",
        "a: &x 1\nb: *x",
        "a: &a [x, x]\nb: &b [*a, *a]",
        'a: "\\ud800"',
        "? [a]\n: b",
        "a: \x07",
        "",
        "[" * 3000,
    ],
)
def test_what_is_no_sound_mapping_stays_in_the_text(entry, block):
    content = f"---\n{block}\n---\nWe swam."
    passage = entry(content)
    assert passage.text == content
    assert list(passage.columns) == ["path", "date", "text"]


@pytest.mark.parametrize(
    "content", ["--- \nnever closed: yes\n\nWe swam.", "text\n---\na: b\n---\n", "---- \na: b\n---\n"]
)
def test_what_is_no_front_matter_stays_in_the_text(entry, content):
    assert entry(content).text == content


def test_keys_that_are_taken_get_another_name(entry):
    columns = entry("---\npath: mine\ntext: theirs\ndate: 9 March 2024, late\n---\nWe swam.").columns
    assert columns == {
        "path": "entry.md",
        "date": None,
        "path_2": "mine",
        "text_2": "theirs",
        "date_2": "9 March 2024, late",
        "text": "We swam.",
    }


def test_a_date_with_a_time_keeps_what_was_written(entry):
    columns = entry("---\ndate: 2024-03-09 21:15\n---\nWe swam.").columns
    assert (columns["date"], columns["date_2"]) == (date(2024, 3, 9), "2024-03-09 21:15")


@pytest.mark.parametrize(
    "name",
    ["2024-03-09.md", "2024_03_09 lake.md", "20240309.txt", "on 2024.03.09.md", "2024/03/09.md", "99-2024-03-09-1.md"],
)
def test_a_date_is_found_in_the_name(entry, name):
    assert entry("We swam.", name).columns["date"] == date(2024, 3, 9)


@pytest.mark.parametrize("name", ["2023-02-29.md", "12345678.md", "120240309.md", "2024-0309.md", "9999-01-01.md"])
def test_what_is_no_date_is_none(entry, name):
    assert entry("We swam.", name).columns["date"] is None


def test_the_front_matter_date_goes_before_that_of_the_name(entry):
    assert entry("---\ndate: 2024-03-09\n---\nWe swam.", "2020-01-01.md").columns["date"] == date(2024, 3, 9)


def test_an_undecodable_entry_is_rejected_with_its_bytes(entry):
    rejected = entry(b"caf\xe9")
    assert rejected == Rejected(
        1, "bytes that are not valid utf-8", r"caf\xe9", base64.b64encode(b"caf\xe9").decode(), "entry.md"
    )


def test_entries_in_other_encodings_are_read(entry):
    assert entry("\ufeffça va".encode()).text == "ça va"
    assert entry("ça va".encode("utf-16")).text == "ça va"
    assert entry("ça va".encode("cp1252"), encoding="cp1252").text == "ça va"


def test_an_empty_entry_is_rejected(entry):
    assert entry("---\ntitle: x\n---\n  \n").reason == "empty text"


def test_an_entry_too_long_to_hold_is_rejected(entry, monkeypatch):
    monkeypatch.setattr("compersion_nlp.sources.folder.LONGEST_LINE", 10)
    assert entry("x" * 11).reason == "cannot be read: longer than 10 bytes"


def test_loops_of_links_pipes_and_broken_links_do_not_hang(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    items = list(open_source([tmp_path]))
    assert [item.text for item in items if isinstance(item, Passage)] == ["hello"]
    assert [item.raw for item in items if isinstance(item, Rejected)] == ["pipe.txt", "self.txt"]
    assert items[1].reason.startswith("cannot be read")


def test_a_name_that_is_not_text_is_rejected(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"hello")
    (rejected,) = open_source([tmp_path])
    assert rejected.reason == "bytes that are not valid utf-8 in the file's name"


def test_a_folder_has_no_other_text_column(tmp_path):
    with pytest.raises(BadInput, match="no column 'body' in a folder"):
        open_source([tmp_path], ReadOptions(text_column="body"))
