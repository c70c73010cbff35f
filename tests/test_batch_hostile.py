"""Jobs on inputs and outputs that do harm: rows that change places, files in the way, odd names, huge rows."""

import json
import os
import sqlite3
from contextlib import closing

import msgspec
import pytest

from compersion_nlp.batch import Job, account_path, label, read_account, rejected_path
from compersion_nlp.batch.reader import Chunk, ChunkReader
from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.records import Passage
from compersion_nlp.sources import ReadOptions

pytestmark = pytest.mark.usefixtures("word_tagger")


@pytest.fixture
def job(tmp_path, plain_bundle):
    (tmp_path / "posts.csv").write_text("id,text\n1,joy\n2\n3,post\n")
    return Job(inputs=(tmp_path / "posts.csv",), output=tmp_path / "out.jsonl", model=plain_bundle)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "posts.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE posts (text TEXT)")
        connection.executemany("INSERT INTO posts VALUES (?)", [(f"post {n}",) for n in range(40)])
    return path


def again(job, **changes):
    return msgspec.structs.replace(job, **changes)


def test_rows_that_a_query_gives_in_another_order_are_not_joined_with_each_others_readings(job, database):
    sample = ReadOptions(query="SELECT text FROM posts ORDER BY random()")
    with pytest.raises(BadInput, match=r"Row \d+ is not what it was when it was read.*\n.*ORDER BY"):
        label(again(job, inputs=(database,), output=job.output.with_suffix(".csv"), read=sample))
    assert not job.output.with_suffix(".csv").exists()


def test_a_database_with_a_mode_of_write_ahead_is_labelled_and_nothing_is_left_beside_it(job, database):
    assert label(again(job, inputs=(database,))).labelled == 40
    assert sorted(path.name for path in database.parent.glob("posts.db*")) == ["posts.db"]


@pytest.mark.parametrize("own", [rejected_path, account_path])
def test_what_an_older_job_left_beside_the_output_cannot_be_its_input(job, own):
    label(job)
    before = own(job.output).read_bytes()
    with pytest.raises(BadInput, match="is an input"):
        label(again(job, inputs=(own(job.output),), read=ReadOptions(format="text"), overwrite=True))
    assert own(job.output).read_bytes() == before


def test_a_file_in_the_work_folder_cannot_be_an_input(job):
    work = job.output.with_name("out.jsonl.job")
    work.mkdir()
    (work / "rejected.jsonl").write_text('{"text": "joy"}\n')
    with pytest.raises(BadInput, match="is an input"):
        label(again(job, inputs=(work / "rejected.jsonl",), overwrite=True))
    assert (work / "rejected.jsonl").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX")
def test_an_output_that_is_a_pipe_is_refused_and_not_replaced(job):
    os.mkfifo(job.output)
    with pytest.raises(BadInput, match="is a pipe or device"):
        label(again(job, overwrite=True))
    assert job.output.is_fifo()


def test_an_output_whose_name_is_too_long_is_refused_before_anything_is_read(job):
    with pytest.raises(BadInput, match="cannot be written"):
        label(again(job, output=job.output.with_name("x" * 245 + ".jsonl")))
    assert [path.name for path in job.output.parent.iterdir()] == ["posts.csv"]


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes are POSIX")
def test_names_that_are_not_utf_8_are_labelled_and_told(job):
    try:
        job.inputs[0].rename(inputs := job.inputs[0].with_name("caf\udce9.csv"))
    except OSError:
        pytest.skip("this file system has no such names")
    output = job.output.with_name("caf\udce9.jsonl")
    account = label(again(job, inputs=(inputs,), output=output))
    assert account == read_account(output)
    assert account.identity.inputs[0].name == "caf\\xe9.csv"
    assert account.output.endswith("caf\\xe9.jsonl")


def test_a_chunk_size_without_bound_is_refused(job):
    with pytest.raises(BadConfig, match=r"chunk size is 10\d+.\nIt is 1 to 1,000,000"):
        label(again(job, chunk_size=10**30))


def test_very_long_passages_make_shorter_chunks(job, monkeypatch):
    monkeypatch.setattr("compersion_nlp.batch.run.CHUNK_CHARACTERS", 1000)
    job.inputs[0].write_text("text\n" + "".join(f"{'joy ' * 100}{n}\n" for n in range(9)))
    assert label(job).chunks == 3
    assert [json.loads(line)["text"][-1] for line in job.output.read_text().splitlines()] == list("012345678")


@pytest.mark.parametrize(
    ("text", "quote"),
    [("she left, 难过 again", "难过"), ("my happiness is gone", "happi"), ("so sad now", "'sad'")],
    ids=["beyond ASCII", "part of a word", "short, in quotation marks"],
)
def test_a_reason_quotes_no_part_of_the_text(word_tagger, monkeypatch, text, quote):
    tabulate = word_tagger.tabulate

    def quoting(passages, explain):
        if text in passages:
            raise ValueError(f"no: {quote}")
        return tabulate(passages, explain)

    monkeypatch.setattr(word_tagger, "tabulate", quoting)
    assert (
        ChunkReader("", "", True)(Chunk(1, (Passage(text, 1),))).entry.complaint
        == "row 1: the model failed: ValueError"
    )
