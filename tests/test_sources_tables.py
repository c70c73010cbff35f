"""Parquet and SQLite: types, order, choice of rows, broken files."""

import base64
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources import ReadOptions, open_source


@pytest.fixture
def parquet(tmp_path):
    def parquet(columns, name="a.parquet", **options):
        path = tmp_path / name
        pq.write_table(pa.table(columns), path)
        return open_source([path], ReadOptions(**options))

    return parquet


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "a.db"

    def database(script, *parameters):
        with closing(sqlite3.connect(path)) as connection:
            if parameters:
                connection.execute(script, parameters)
                connection.commit()
            else:
                connection.executescript(script)
        return path

    return database


def test_parquet_cells_keep_their_types(parquet):
    row = {
        "text": "hi",
        "n": 3,
        "share": 0.5,
        "ok": True,
        "day": date(2024, 3, 9),
        "at": datetime(2024, 3, 9, 12, tzinfo=UTC),
        "price": Decimal("1.50"),
        "tags": ["a", "b"],
        "deep": {"a": 1},
        "raw": b"\xff",
        "none": None,
    }
    (passage,) = parquet({name: [value] for name, value in row.items()}, id_column="n")
    assert passage.columns == row
    assert passage.id == "3"


def test_parquet_gives_its_schema(parquet):
    source = parquet({"text": pa.array(["a"], pa.large_string()), "n": pa.array([1], pa.int8())})
    assert source.schema.field("n").type == pa.int8()


def test_inputs_of_different_types_have_no_schema(tmp_path):
    for name, type_ in (("a", pa.int8()), ("b", pa.int64())):
        pq.write_table(pa.table({"text": ["a"], "n": pa.array([1], type_)}), tmp_path / f"{name}.parquet")
    assert open_source([tmp_path / "a.parquet", tmp_path / "b.parquet"]).schema is None
    assert open_source([tmp_path / "a.parquet", tmp_path / "a.parquet"]).schema is not None


def test_parquet_nanoseconds_are_cut_to_microseconds(parquet):
    (passage,) = parquet({"text": ["a"], "at": pa.array([1_001], pa.timestamp("ns"))})
    assert passage.columns["at"] == datetime(1970, 1, 1, 0, 0, 0, 1)
    assert type(passage.columns["at"]) is datetime


def test_parquet_is_read_over_many_batches_in_order(parquet):
    items = parquet({"text": [f"row {number}" for number in range(5000)]})
    assert [(item.number, item.text) for item in items] == [(n + 1, f"row {n}") for n in range(5000)]


def test_parquet_text_of_another_type_or_null_is_rejected(parquet):
    assert [item.reason for item in parquet({"text": [1, None]})] == ["'text' is not text but int", "empty text"]


def test_parquet_text_that_is_not_utf_8_is_rejected_alone(parquet):
    column = pa.array([b"one", b"caf\xe9", b"three"]).view(pa.string())
    first, second, third = parquet({"n": [1, 2, 3], "text": column})
    assert (first.text, third.text) == ("one", "three")
    assert second.reason == "bytes that are not valid utf-8 in 'text'"
    assert base64.b64decode(second.raw_base64) == b"caf\xe9"


def test_parquet_dates_beyond_python_are_rejected_alone(parquet):
    far = pa.array([0, 2**62], pa.timestamp("us"))
    first, second = parquet({"text": ["a", "b"], "at": far})
    assert isinstance(first, Passage)
    assert second.reason.startswith("a value in 'at' that cannot be read")


def test_duplicate_parquet_columns_are_made_unique(tmp_path):
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    (passage,) = open_source([tmp_path / "a.parquet"])
    assert passage.columns == {"text": "a", "text_2": "b"}


@pytest.mark.parametrize("keep", [0, 100, -20])
def test_a_broken_parquet_file_is_an_error(tmp_path, keep):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a" * 1000]}), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match=r"a\.parquet cannot be read as Parquet"):
        list(open_source([path]))


def test_parquet_damaged_within_is_an_error(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"{number * 7919}" for number in range(20_000)]}), path)
    content = bytearray(path.read_bytes())
    content[100:4000] = bytes(3900)
    path.write_bytes(bytes(content))
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        list(open_source([path]))


def test_the_only_table_is_read_in_the_order_of_its_row_numbers(database):
    path = database(
        "CREATE TABLE posts (key TEXT PRIMARY KEY, body TEXT, n INTEGER, share REAL, raw BLOB);"
        "INSERT INTO posts VALUES ('z', 'first', 1, 0.5, x'ff00'), ('a', 'second', NULL, NULL, NULL)"
    )
    first, second = open_source([path], ReadOptions(id_column="key"))
    assert first == Passage("first", 1, "z", {"key": "z", "body": "first", "n": 1, "share": 0.5, "raw": b"\xff\x00"})
    assert second.text == "second"


def test_a_table_without_row_numbers_is_read_in_the_order_of_its_key(database):
    path = database(
        "CREATE TABLE t (text TEXT, b INTEGER, a INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;"
        "INSERT INTO t VALUES ('third', 1, 2), ('second', 2, 1), ('first', 1, 1)"
    )
    assert [item.text for item in open_source([path])] == ["first", "second", "third"]


def test_columns_called_like_the_row_number_do_not_set_the_order(database):
    path = database("CREATE TABLE t (rowid TEXT, text TEXT); INSERT INTO t VALUES ('z', 'first'), ('a', 'second')")
    assert [item.text for item in open_source([path])] == ["first", "second"]


def test_several_tables_must_be_chosen_from(database):
    path = database('CREATE TABLE one (text); CREATE TABLE "two ""x" (text); INSERT INTO "two ""x" VALUES (\'hello\')')
    with pytest.raises(BadInput, match="has 2 tables, so one must be named") as caught:
        open_source([path])
    assert "'one', 'two \"x'" in caught.value.hint
    assert [item.text for item in open_source([path], ReadOptions(table='two "x'))] == ["hello"]
    with pytest.raises(BadInput, match="there is no table 'three'"):
        open_source([path], ReadOptions(table="three"))


def test_an_empty_database_has_no_table(database):
    with pytest.raises(BadInput, match="has 0 tables"):
        open_source([database("PRAGMA user_version = 1")])


def test_views_and_queries_are_read(database):
    path = database(
        "CREATE TABLE t (n, text); INSERT INTO t VALUES (1, 'a'), (2, 'b'); CREATE VIEW v AS SELECT * FROM t;"
    )
    assert len(list(open_source([path], ReadOptions(table="v")))) == 2
    query = "SELECT text, n, n FROM t ORDER BY n DESC"
    first, _ = open_source([path], ReadOptions(query=query))
    assert first.columns == {"text": "b", "n": 2, "n_2": 2}


@pytest.mark.parametrize("query", ["DELETE FROM t", "SELECT * FROM gone", "SELECT 1; SELECT 2", "nonsense", ""])
def test_a_query_that_is_off_is_an_error_and_changes_nothing(database, query):
    path = database("CREATE TABLE t (text); INSERT INTO t VALUES ('a')")
    with pytest.raises(BadInput):
        open_source([path], ReadOptions(query=query))
    assert len(list(open_source([path]))) == 1


@pytest.mark.parametrize("query", ["ATTACH '{}' AS other", "VACUUM INTO '{}'"])
def test_a_query_writes_no_other_file(database, tmp_path, query):
    path = database("CREATE TABLE t (text); INSERT INTO t VALUES ('a')")
    with pytest.raises(BadInput, match="authoriz"):
        open_source([path], ReadOptions(query=query.format(tmp_path / "other.db")))
    assert not (tmp_path / "other.db").exists()


def test_table_and_query_together_are_refused(database):
    with pytest.raises(BadConfig, match="Both a table and a query"):
        open_source([database("CREATE TABLE t (text)")], ReadOptions(table="t", query="SELECT 1"))


def test_invalid_text_in_sqlite_is_rejected_alone(database):
    path = database("CREATE TABLE t (text); INSERT INTO t VALUES (CAST(x'636166e9' AS TEXT)), ('fine')")
    first, second = open_source([path])
    assert first.reason == "bytes that are not valid utf-8 in 'text'"
    assert base64.b64decode(first.raw_base64) == b"caf\xe9"
    assert second.text == "fine"


def test_nul_and_odd_types_in_sqlite(database):
    database("CREATE TABLE t (text)")
    for value in ("a\0b", 3, b"blob", None):
        path = database("INSERT INTO t VALUES (?)", value)
    first, *others = open_source([path])
    assert first.text == "a\0b"
    assert [item.reason for item in others] == [
        "'text' is not text but int",
        "'text' is not text but bytes",
        "empty text",
    ]


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    path = tmp_path / "a.sqlite"
    path.write_text("no database at all, however long it may be")
    with pytest.raises(BadInput, match=r"a\.sqlite cannot be read as SQLite"):
        open_source([path])


def test_a_path_with_odd_characters_is_opened(tmp_path):
    path = tmp_path / "odd ?mode=rwc&x#%20é.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE t (text); INSERT INTO t VALUES ('a')")
    assert [item.text for item in open_source([path])] == ["a"]


def test_another_thread_may_pull_the_rows(database):
    path = database("CREATE TABLE t (text); INSERT INTO t VALUES ('a'), ('b')")
    rows = iter(open_source([path]))
    found = [next(rows)]
    thread = threading.Thread(target=lambda: found.extend(rows))
    thread.start()
    thread.join()
    assert [item.text for item in found if not isinstance(item, Rejected)] == ["a", "b"]
