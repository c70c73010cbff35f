"""Outputs are put in place whole or not at all; what cannot be written is an error with a hint."""

import os
import sys
from pathlib import Path

import pytest
from writing import FORMATS, ROW, write

from compersion_nlp import sinks
from compersion_nlp.errors import BadConfig, BadInput, CompersionError, MissingExtra
from compersion_nlp.records import Passage
from compersion_nlp.sinks import WriteOptions, check_target, open_sink
from compersion_nlp.sinks.replacement import Replacement
from compersion_nlp.sources import Kind, open_source


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_what_stood_there(tmp_path, name, stop):
    (tmp_path / name).write_text("old")
    with (
        pytest.raises(stop),
        open_sink(tmp_path / name, {"text": Kind.STR}, ["joy"], False) as sink,
    ):
        sink.write(Passage("a", columns={"text": "a"}), ROW)
        raise stop
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


@pytest.mark.parametrize("name", FORMATS)
def test_an_output_replaces_what_stood_there_and_keeps_its_mode(tmp_path, name):
    (tmp_path / name).write_text("old")
    (tmp_path / name).chmod(0o640)
    write(tmp_path / name, [{"text": "a"}])
    assert [item.text for item in open_source([tmp_path / name])] == ["a"]
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_no_rows_are_an_empty_table(tmp_path, name):
    with open_sink(tmp_path / name, {"text": Kind.STR}, ["joy"], True):
        pass
    assert list(open_source([tmp_path / name])) == []


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    write(tmp_path / "link.csv", [{"text": "a"}])
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("text,")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_an_error_with_a_hint(tmp_path, name, monkeypatch):
    class FullDisk(Replacement):
        def __init__(self, target):
            super().__init__(target)
            self.path.unlink()
            self.path.symlink_to("/dev/full")

    monkeypatch.setattr(sinks, "Replacement", FullDisk)
    with pytest.raises(CompersionError, match="could not be written") as caught:
        write(tmp_path / name, [{"text": f"{number}" * 99} for number in range(9000)])
    if not name.endswith("sqlite"):  # which asks more of a file than the device can do
        assert caught.value.hint == "The disk is full: free some space, or write to another disk."
    assert list(tmp_path.iterdir()) == []


def test_a_full_sqlite_database_is_an_error_with_a_hint(tmp_path):
    with (
        pytest.raises(BadInput, match="database or disk is full") as caught,
        open_sink(tmp_path / "a.db", {"text": Kind.STR}, ["joy"], False) as sink,
    ):
        sink._writer._connection.execute("PRAGMA max_page_count = 3")
        for _ in range(5000):
            sink.write(Passage("a", columns={"text": "a" * 100}), ROW)
    assert "disk is full" in caught.value.hint


def test_a_folder_is_no_target(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(BadInput, match=r"out\.csv is a folder"):
        open_sink(tmp_path / "out.csv", {}, ["joy"], False)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(BadInput, match="could not be written: No such file or directory") as caught:
        check_target(tmp_path / "gone" / "a.csv")
    assert caught.value.hint == "Create the folder first."


def test_a_refusal_of_the_system_is_an_error(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadInput, match="could not be written: Permission denied") as caught:
        check_target(tmp_path / "a.csv")
    assert "may write" in caught.value.hint


def test_a_database_in_use_is_not_replaced(tmp_path):
    (tmp_path / "a.db-wal").write_text("")
    with pytest.raises(BadInput, match=r"a\.db is in use: a\.db-wal stands beside it"):
        check_target(tmp_path / "a.db")


def test_unknown_suffixes_and_formats_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"'.xlsx' does not tell its format") as caught:
        check_target(tmp_path / "a.xlsx")
    assert "csv, tsv, jsonl, parquet, sqlite" in caught.value.hint
    with pytest.raises(BadInput, match=r"'.txt' does not tell"):
        check_target(tmp_path / "a.txt")
    with pytest.raises(BadConfig, match="no format 'text'"):
        check_target(tmp_path / "a.txt", WriteOptions(format="text"))
    assert check_target(tmp_path / "a.out", WriteOptions(format="csv")) == "csv"


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "compersion_nlp.sinks.parquet", raising=False)
    with pytest.raises(MissingExtra, match=r"compersion-nlp\[parquet\]"):
        check_target(tmp_path / "a.parquet")
