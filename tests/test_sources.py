"""Opening inputs: formats, options, numbering, compression, digests."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from compersion_nlp.errors import BadConfig, BadInput, MissingExtra
from compersion_nlp.records import Passage
from compersion_nlp.sources import ReadOptions, digest_inputs, open_source, stamp


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows_are_numbered_through_all_inputs_and_read_alike_twice(tmp_path):
    table = write(tmp_path / "a.csv", "text\none\n\ntwo\n")
    lines = write(tmp_path / "b.jsonl", '{"body": "three"}\nbroken\n{"body": "four"}\n')
    source = open_source([table, lines])
    first = list(source)
    assert [item.number for item in first] == [1, 2, 3, 4, 5]
    assert [item.text for item in first if isinstance(item, Passage)] == ["one", "two", "three", "four"]
    assert list(source) == first


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv.zst", "a.jsonl.gz", "a.ndjson.zst", "a.txt.gz", "RC_2012-01.zst"])
def test_compressed_text_is_read_by_suffix(tmp_path, name):
    content = {"csv": b"text\nhello\n", "tsv": b"text\nhello\n", "txt": b"hello\n"}
    plain = content.get(name.split(".")[1], b'{"text": "hello"}\n')
    packed = gzip.compress(plain) if name.endswith(".gz") else zstandard.ZstdCompressor().compress(plain)
    assert [item.text for item in open_source([write(tmp_path / name, packed)])] == ["hello"]


def test_zstd_frames_with_a_long_window_and_several_frames_are_read(tmp_path):
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=28, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    long_window = stream.compress(b'{"text": "one"}\n') + stream.flush()
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd"
    plain = zstandard.ZstdCompressor().compress(b'{"text": "two"}\n')
    path = write(tmp_path / "a.jsonl.zst", long_window + skippable + plain)
    assert [item.text for item in open_source([path])] == ["one", "two"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_stream_cut_short_is_an_error_with_its_place(tmp_path, suffix):
    rows = "".join(f"row {number} {hash(str(number))}\n" for number in range(20_000)).encode()
    packed = gzip.compress(rows) if suffix == ".gz" else zstandard.ZstdCompressor().compress(rows)
    path = write(tmp_path / f"a.txt{suffix}", packed[: len(packed) // 2])
    with pytest.raises(BadInput, match=r"a\.txt\.\w+ is broken or cut short near byte [\d,]+ of [\d,]+"):
        list(open_source([path]))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_file_that_is_not_compressed_as_its_suffix_says_is_an_error(tmp_path, suffix):
    with pytest.raises(BadInput, match="is broken or cut short"):
        open_source([write(tmp_path / f"a.csv{suffix}", "text\nhello\n")])


def test_damage_in_the_middle_of_a_compressed_stream_is_an_error(tmp_path):
    packed = bytearray(gzip.compress("".join(f"{number * 7919}\n" for number in range(50_000)).encode()))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(40)
    with pytest.raises(BadInput, match="is broken or cut short near byte"):
        list(open_source([write(tmp_path / "a.txt.gz", bytes(packed))]))


def test_an_endless_line_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("compersion_nlp.sources.streams.LONGEST_LINE", 1000)
    with pytest.raises(BadInput, match="line 2 is longer than 1,000 characters"):
        list(open_source([write(tmp_path / "a.txt", "short\n" + "x" * 2000)]))


def test_an_unknown_suffix_lists_the_formats(tmp_path):
    with pytest.raises(BadInput, match=r"'.docx' does not tell its format") as caught:
        open_source([write(tmp_path / "a.docx", "x")])
    assert "--format" in caught.value.hint
    assert ".parquet" in caught.value.hint


def test_a_named_format_overrides_the_suffix(tmp_path):
    path = write(tmp_path / "export.dat", "text\nhello\n")
    assert [item.text for item in open_source([path], ReadOptions(format="csv"))] == ["hello"]


def test_an_unknown_format_lists_the_known_ones(tmp_path):
    with pytest.raises(BadConfig, match="no format 'xml'") as caught:
        open_source([write(tmp_path / "a.csv", "text\n")], ReadOptions(format="xml"))
    assert "csv, tsv, jsonl, parquet, sqlite, text, entry, folder" in caught.value.hint


def test_a_missing_file_and_no_file_are_errors(tmp_path):
    with pytest.raises(BadInput, match=r"gone\.csv does not exist"):
        open_source([tmp_path / "gone.csv"])
    with pytest.raises(BadConfig, match="No input is given"):
        open_source([])


def test_a_folder_is_no_csv_file_and_a_file_no_folder(tmp_path):
    with pytest.raises(BadInput, match="is a folder, not a csv file"):
        open_source([tmp_path], ReadOptions(format="csv"))
    with pytest.raises(BadInput, match="is a file, not a folder"):
        open_source([write(tmp_path / "a.txt", "x")], ReadOptions(format="folder"))


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(BadInput, match=r"a\.csv is a pipe or device"):
        open_source([tmp_path / "a.csv"])


def test_a_compressed_parquet_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"a parquet file cannot be \.gz"):
        open_source([write(tmp_path / "a.parquet.gz", "x")])


def test_an_unreadable_file_is_an_error(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", "text\nhello\n")

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadInput, match=r"a\.csv cannot be read: Permission denied"):
        open_source([path])


@pytest.mark.parametrize("name", ["klingon", "rot13", "", "utf-8\0"])
def test_an_unknown_encoding_is_refused(tmp_path, name):
    with pytest.raises(BadConfig, match="no text encoding"):
        open_source([write(tmp_path / "a.csv", "text\n")], ReadOptions(encoding=name))


@pytest.mark.parametrize("delimiter", ["", ",,", "\n", '"'])
def test_an_impossible_delimiter_is_refused(tmp_path, delimiter):
    with pytest.raises(BadConfig, match="cannot separate cells"):
        open_source([write(tmp_path / "a.csv", "text\n")], ReadOptions(delimiter=delimiter))


def test_later_inputs_are_checked_before_the_first_is_read(tmp_path):
    good = write(tmp_path / "a.csv", "text\nhello\n")
    with pytest.raises(BadInput, match=r"b\.csv has no header row"):
        open_source([good, write(tmp_path / "b.csv", "")])


def test_importing_sources_and_sinks_loads_nothing_heavy():
    heavy = "{'spacy', 'sklearn', 'pandas', 'pyarrow'}"
    code = f"import sys, compersion_nlp.sources, compersion_nlp.sinks; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "compersion_nlp.sources.parquet", raising=False)
    with pytest.raises(MissingExtra, match=r"compersion-nlp\[parquet\]"):
        open_source([write(tmp_path / "a.parquet", "x")])


def test_the_digest_follows_the_bytes_and_not_the_name(tmp_path):
    one, two = write(tmp_path / "a.csv", "text\nhello\n"), write(tmp_path / "b.csv", "text\nhello\n")
    assert digest_inputs([one]) == digest_inputs([two])
    assert digest_inputs([one]) != digest_inputs([one, two])
    before = digest_inputs([one])
    write(one, "text\nhallo\n")
    assert digest_inputs([one]) != before


def test_the_digest_of_two_files_is_not_that_of_their_bytes_in_one(tmp_path):
    parts = [write(tmp_path / "a.txt", "a\n"), write(tmp_path / "b.txt", "b\n")]
    assert digest_inputs(parts) != digest_inputs([write(tmp_path / "c.txt", "a\nb\n")])


def test_the_digest_of_a_folder_follows_names_and_bytes(tmp_path):
    entry = write(tmp_path / "a.md", "hello")
    before = digest_inputs([tmp_path])
    write(tmp_path / "picture.png", "no entry")
    assert digest_inputs([tmp_path]) == before
    entry.rename(tmp_path / "b.md")
    assert digest_inputs([tmp_path]) != before


def test_digest_and_stamp_follow_a_write_ahead_log(tmp_path):
    path = write(tmp_path / "a.db", "database")
    digest, seen = digest_inputs([path]), stamp([path])
    write(tmp_path / "a.db-wal", "log")
    assert digest_inputs([path]) != digest
    assert stamp([path]) != seen


def test_an_empty_write_ahead_log_is_none(tmp_path):
    path = write(tmp_path / "a.db", "database")
    digest, seen = digest_inputs([path]), stamp([path])
    write(tmp_path / "a.db-wal", "")
    assert (digest_inputs([path]), stamp([path])) == (digest, seen)


def test_a_file_of_a_folder_that_cannot_be_read_does_not_hinder_the_digest(tmp_path, monkeypatch):
    closed, real = write(tmp_path / "closed.txt", "a"), Path.open
    readable = digest_inputs([tmp_path])

    def refuse(path, *args, **named):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **named)

    monkeypatch.setattr(Path, "open", refuse)
    assert digest_inputs([tmp_path]) != readable
    with pytest.raises(BadInput, match="Permission denied"):
        digest_inputs([closed])


def test_the_stamp_follows_size_and_time(tmp_path):
    path = write(tmp_path / "a.csv", "text\n")
    seen = stamp([path])
    assert stamp([path]) == seen
    write(path, "text\nmore\n")
    assert stamp([path]) != seen


def test_digest_and_stamp_of_a_missing_file_are_errors(tmp_path):
    for function in (digest_inputs, stamp):
        with pytest.raises(BadInput, match="does not exist"):
            function([tmp_path / "gone.csv"])
