"""Outputs: what is written in each format, and that all of it can be read back."""

import csv
import gzip
import json
import math
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writing import FORMATS, ROW, write

from compersion_nlp.errors import BadInput
from compersion_nlp.sources import ReadOptions, open_source
from compersion_nlp.sources.guard import guard, unguard


def cells(path):
    """The rows of a CSV file after its header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def test_csv_holds_input_columns_then_the_reading(tmp_path):
    write(tmp_path / "a.csv", [{"id": "7", "text": "ça, va"}])
    assert (tmp_path / "a.csv").read_bytes().decode() == (
        'id,text,felt,model,p_joy,provisional\r\n7,"ça, va",joy,base@1.0,0.75,\r\n'
    )


def test_jsonl_holds_input_columns_and_the_reading(tmp_path):
    write(tmp_path / "a.jsonl", [{"id": 7, "text": "ça\u2028va", "deep": {"a": [1, None]}}, {"text": "b"}])
    first, second = (tmp_path / "a.jsonl").read_text("utf-8").rstrip("\n").split("\n")
    assert json.loads(first) == {"id": 7, "text": "ça\u2028va", "deep": {"a": [1, None]}, "reading": ROW}
    assert json.loads(second) == {"text": "b", "reading": ROW}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_back_by_our_sources(tmp_path, name):
    rows = [{"id": "1", "text": "one\0\r\n😀 'q' \"q\""}, {"id": "2", "text": "=two\t;|,"}]
    write(tmp_path / name, rows, raw_cells=True)
    found = list(open_source([tmp_path / name]))
    assert [{name: item.columns[name] for name in ("id", "text")} for item in found] == rows


def test_typed_values_in_csv(tmp_path):
    row = {
        "none": None,
        "yes": True,
        "int": -3,
        "float": 0.1,
        "raw": b"\xff\x00",
        "day": date(2024, 3, 9),
        "at": datetime(2024, 3, 9, 12, 30),
        "zone": datetime(2024, 3, 9, 12, 30, tzinfo=UTC),
        "list": ["a", 1],
        "price": Decimal("-1.50"),
        "huge": 2**70,
    }
    write(tmp_path / "a.csv", [row, {"float": 2}, {"yes": False}])
    first, second, third = cells(tmp_path / "a.csv")
    assert first[:11] == [
        "",
        "true",
        "-3",
        "0.1",
        "/wA=",
        "2024-03-09",
        "2024-03-09T12:30:00",
        "2024-03-09T12:30:00+00:00",
        '["a",1]',
        "-1.50",
        str(2**70),
    ]
    assert (second[3], third[1]) == ("2.0", "false")
    assert second[4:11] == [""] * 7


def test_mixed_columns_are_json_text_where_cells_are_flat(tmp_path):
    rows = [{"a": "x"}, {"a": 1}, {"a": [b"\xff", math.nan]}, {"a": None}]
    write(tmp_path / "a.csv", rows)
    assert [row[0] for row in cells(tmp_path / "a.csv")] == ['"x"', "1", '["/w==",null]', ""]
    write(tmp_path / "a.parquet", rows)
    assert pq.read_table(tmp_path / "a.parquet")["a"].to_pylist() == ['"x"', "1", '["/w==",null]', None]


def test_values_that_json_does_not_have(tmp_path):
    row = {
        "nan": math.nan,
        "inf": math.inf,
        "raw": b"\xff",
        "at": datetime(2024, 3, 9, tzinfo=UTC),
        "day": date(2024, 3, 9),
        "time": time(12, 30),
        "span": timedelta(days=1),
        "price": Decimal("1.50"),
        "key": UUID(int=1),
        "huge": 2**70,
        "pairs": [("a", 1)],
        "odd": 1 + 2j,
    }
    write(tmp_path / "a.jsonl", [row])
    found = json.loads((tmp_path / "a.jsonl").read_text())
    del found["reading"]
    assert found == {
        "nan": None,
        "inf": None,
        "raw": "/w==",
        "at": "2024-03-09T00:00:00Z",
        "day": "2024-03-09",
        "time": "12:30:00",
        "span": "P1D",
        "price": "1.50",
        "key": str(UUID(int=1)),
        "huge": 2**70,
        "pairs": [["a", 1]],
        "odd": "(1+2j)",
    }


def test_parquet_types_follow_the_kinds(tmp_path):
    row = {
        "none": None,
        "yes": True,
        "int": 2**62,
        "float": 0.5,
        "text": "a",
        "raw": b"\xff",
        "day": date(2024, 3, 9),
        "at": datetime(2024, 3, 9),
        "zone": datetime(2024, 3, 9, tzinfo=UTC),
    }
    write(tmp_path / "a.parquet", [row])
    table = pq.read_table(tmp_path / "a.parquet")
    assert [str(type_) for type_ in table.schema.types[:9]] == [
        "string",
        "bool",
        "int64",
        "double",
        "string",
        "binary",
        "date32[day]",
        "timestamp[us]",
        "timestamp[us, tz=UTC]",
    ]
    (found,) = table.to_pylist()
    assert found == row | {"felt": "joy", "model": "base@1.0", "p_joy": 0.75, "provisional": ""}


def test_parquet_keeps_the_types_of_a_parquet_input(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["a", "b"], pa.large_string()),
            "small": pa.array([1, None], pa.int8()),
            "half": pa.array([0.5, None], pa.float32()),
            "who": pa.array(["x", None]).dictionary_encode(),
            "list": pa.array([[1], None], pa.list_(pa.int16())),
            "deep": pa.array([{"a": 1}, None], pa.struct({"a": pa.int32()})),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
            "price": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
            "time": pa.array([time(12), None], pa.time32("ms")),
            "at": pa.array([1_000, None], pa.timestamp("ns", "Europe/Oslo")),
            "big": pa.array([2**64 - 1, None], pa.uint64()),
            "felt": pa.array([1, None], pa.int8()),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    source = open_source([tmp_path / "in.parquet"])
    write(tmp_path / "out.parquet", [item.columns for item in source], schema=source.schema)
    found = pq.read_table(tmp_path / "out.parquet").select([*table.column_names[:-1], "input_felt"])
    assert found.rename_columns(table.column_names).equals(table)


def test_a_value_that_does_not_fit_its_parquet_type_is_an_error(tmp_path):
    schema = pa.schema({"n": pa.int8()})
    with pytest.raises(BadInput, match="Column 'n' cannot be written as int8"):
        write(tmp_path / "a.parquet", [{"n": 1000}], schema=schema)
    assert list(tmp_path.iterdir()) == []


def test_parquet_row_groups_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("compersion_nlp.sinks.parquet._CHARACTERS", 50)
    write(tmp_path / "a.parquet", [{"text": "x" * 20} for _ in range(7)])
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)] == [3, 3, 1]


def test_sqlite_types_follow_the_kinds(tmp_path):
    row = {
        'te"xt': "a\0b",
        "order": 2**62,
        "share": math.nan,
        "half": 0.5,
        "yes": True,
        "raw": b"\xff",
        "day": date(2024, 3, 9),
        "deep": [1],
        "none": None,
        "huge": 2**70,
    }
    write(tmp_path / "a.sqlite", [row] * 2500)
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM passages").fetchone() == (2500,)
        found = connection.execute("SELECT * FROM passages LIMIT 1").fetchone()
        types = [column[2] for column in connection.execute("PRAGMA table_info(passages)")]
    assert found[:10] == ("a\0b", 2**62, None, 0.5, 1, b"\xff", "2024-03-09", "[1]", None, str(2**70))
    assert found[10:] == ("joy", "base@1.0", 0.75, "")
    assert types[:6] == ["TEXT", "INTEGER", "REAL", "REAL", "INTEGER", "BLOB"]


def test_sqlite_columns_that_differ_in_case_only_are_kept_apart(tmp_path):
    sink = write(tmp_path / "a.db", [{"Text": "a", "text": "b", "FELT": "c", "É": "d", "é": "e"}])
    assert sink.renamed == {"text": "input_text", "FELT": "input_FELT"}
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute('SELECT "Text", input_text, input_FELT, "É", "é" FROM passages').fetchall() == [
            tuple("abcde")
        ]


@pytest.mark.parametrize("columns", [{"a\0b": "x"}, {str(number): "x" for number in range(3000)}])
def test_columns_that_sqlite_cannot_have_are_an_error(tmp_path, columns):
    with pytest.raises(BadInput, match=r"a\.db could not be written") as caught:
        write(tmp_path / "a.db", [columns])
    assert "another format" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_columns_that_collide_with_ours_are_renamed(tmp_path):
    columns = {"felt": "1", "p_joy": "2", "p_envy": "3", "input_felt": "4", "p_value": "5", "reading": "6"}
    sink = write(tmp_path / "a.csv", [columns])
    assert sink.renamed == {"felt": "input_felt_2", "p_joy": "input_p_joy", "p_envy": "input_p_envy"}
    (row,) = cells(tmp_path / "a.csv")
    assert row[:6] == list("123456")
    header = (tmp_path / "a.csv").read_text().splitlines()[0]
    assert header.startswith("input_felt_2,input_p_joy,input_p_envy,input_felt,p_value,reading,felt,")


def test_a_reading_column_is_renamed_in_jsonl(tmp_path):
    sink = write(tmp_path / "a.jsonl", [{"felt": "1", "reading": {"felt": []}}])
    assert sink.renamed == {"reading": "input_reading"}
    assert json.loads((tmp_path / "a.jsonl").read_text()) == {
        "felt": "1",
        "input_reading": {"felt": []},
        "reading": ROW,
    }


def test_formulas_are_guarded_and_counted(tmp_path):
    hostile = ["=1+1", "+cmd", "-x", "@a", "\tb", "\rc", "'=d", "-3.5", "+1e9", "plain", "", "- list"]
    sink = write(tmp_path / "a.csv", [{"text": text, "=head": "x"} for text in hostile])
    assert [row[0] for row in cells(tmp_path / "a.csv")] == [
        "'=1+1",
        "'+cmd",
        "'-x",
        "'@a",
        "'\tb",
        "'\rc",
        "''=d",
        "-3.5",
        "+1e9",
        "plain",
        "",
        "'- list",
    ]
    assert (tmp_path / "a.csv").read_text().startswith("text,'=head,")
    assert sink.guarded == 9
    raw = write(tmp_path / "b.csv", [{"text": text} for text in hostile], raw_cells=True)
    assert [row[0] for row in cells(tmp_path / "b.csv")] == hostile
    assert raw.guarded == 0


@given(st.text() | st.from_regex(r"\A'*[-+=@\t\r].*"))
@settings(deadline=None)
def test_the_guard_can_be_undone(cell):
    assert unguard(guard(cell)) == cell


@pytest.mark.parametrize("name", ["b.csv", "b.tsv.gz"])
@given(
    st.lists(
        st.tuples(st.text() | st.sampled_from(["=1", "\r", "a\r\nb", '"', "\0", "\ufeff", "\u200b", "'", "\u2028"])),
        max_size=5,
    )
)
@settings(deadline=None, max_examples=60)
def test_every_cell_survives_csv_to_csv(tmp_path_factory, name, rows):
    folder = tmp_path_factory.mktemp("cells")
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "other"], *(("x", other) for (other,) in rows)])
    source = open_source([folder / "a.csv"])
    for raw in (True, False):
        write(folder / name, [item.columns for item in source] or [{"text": "x"}], raw_cells=raw)
        again = open_source([folder / name], ReadOptions(guarded=not raw))
        assert [(item.columns["other"],) for item in again if rows] == rows


def test_gzip_and_zstd_outputs_are_the_same_every_time(tmp_path):
    for name in ("a.csv.gz", "a.jsonl.zst"):
        (tmp_path / "one").mkdir(exist_ok=True)
        write(tmp_path / name, [{"text": "a"}])
        write(tmp_path / "one" / f"other-{name}", [{"text": "a"}])
        assert (tmp_path / name).read_bytes() == (tmp_path / "one" / f"other-{name}").read_bytes()
    head = (tmp_path / "a.csv.gz").read_bytes()[:10]
    assert (head[3], head[4:8]) == (0, bytes(4))
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b"text,")
