"""Jobs with paths in buckets: as if they were local, whatever breaks off, and no credential is written down."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from compersion_nlp.batch import Job, label
from compersion_nlp.batch.account import Account
from compersion_nlp.batch.addresses import is_remote, local_path, show_url
from compersion_nlp.batch.ledger import WorkFolder
from compersion_nlp.batch.remote import Remote
from compersion_nlp.errors import BadConfig, BadInput, Interrupted
from compersion_nlp.sinks import WriteOptions
from compersion_nlp.sources import ReadOptions

pytestmark = pytest.mark.usefixtures("word_tagger")

POSTS = [f"post {n}{' joy' * (n % 3)}" for n in range(25)]


def post_rows(texts):
    return [{"id": str(n), "text": text} for n, text in enumerate(texts)]


def write_csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text"])
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_parquet(path, rows):
    from pyarrow import Table, parquet

    parquet.write_table(Table.from_pylist(rows), path)


def write_sqlite(path, rows):
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE posts (id, text)")
        database.executemany("INSERT INTO posts VALUES (:id, :text)", rows)
        database.commit()


def write_folder(path, rows):
    (path / "deep").mkdir(parents=True)
    for row in rows:
        (path / "deep" / f"{int(row['id']):02}.md").write_text(row["text"])
    (path / "photo.jpg").write_bytes(b"no entry")


WRITE = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet, "sqlite": write_sqlite, "": write_folder}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Runs a test in an empty folder of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def bucket():
    """Returns an empty bucket in memory."""
    fs = MemoryFileSystem()
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()


@pytest.fixture
def share(tmp_path):
    """Returns a folder that is reached by a protocol, and what its addresses end in."""
    folder = tmp_path / "share"
    folder.mkdir()
    return folder, f"::file://{folder.as_posix()}"


@pytest.fixture
def job(plain_bundle, bucket, tmp_path):
    """Returns a job from one bucket to another."""
    write_csv(tmp_path / "posts.csv", post_rows(POSTS))
    bucket.pipe_file("/forum/posts.csv", (tmp_path / "posts.csv").read_bytes())
    return Job(inputs=("memory://forum/posts.csv",), output="memory://done/out.jsonl", model=plain_bundle, chunk_size=4)


@pytest.fixture
def locally(job, tmp_path):
    """Returns the bytes that the job writes on this machine, and how many chunks it has."""
    account = label(msgspec.structs.replace(job, inputs=(tmp_path / "posts.csv",), output=tmp_path / "out.jsonl"))
    return (tmp_path / "out.jsonl").read_bytes(), account.chunks


def again(job, **changes):
    return msgspec.structs.replace(job, **changes)


def stop_after(chunks):
    def listen(progress):
        if progress.chunks == chunks:
            raise KeyboardInterrupt

    return listen


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def fetches(monkeypatch):
    """Counts the files that are fetched."""
    fetched = []
    real = MemoryFileSystem.get_file

    def get_file(self, remote, *rest, **named):
        fetched.append(remote)
        return real(self, remote, *rest, **named)

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    return fetched


# Addresses


@pytest.mark.parametrize(
    "path", ["s3://b/x.csv", "GS://b/x.csv", "memory://x.csv", "zip://a.csv::file:///b.zip", "simplecache::s3://b/x"]
)
def test_a_path_with_a_protocol_is_remote(path):
    assert is_remote(path)


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("posts.csv", "posts.csv"),
        ("C:\\posts.csv", "C:\\posts.csv"),
        ("C://posts.csv", "C://posts.csv"),
        ("notes: today.csv", "notes: today.csv"),
        ("a:b::c.csv", "a:b::c.csv"),
        ("file:///tmp/posts.csv", "/tmp/posts.csv"),
        ("file://posts.csv", "posts.csv"),
        ("file:///C:/posts.csv", "C:/posts.csv"),
        ("local:///tmp/posts.csv", "/tmp/posts.csv"),
        (Path("s3://b/x.csv"), Path("s3://b/x.csv")),
    ],
    ids=str,
)
def test_other_paths_are_local(path, local):
    assert not is_remote(path)
    assert local_path(path) == Path(local)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/a b/posts@home.csv", "s3://bucket/a b/posts@home.csv"),
        ("s3://key:secret@bucket/posts.csv", "s3://bucket/posts.csv"),
        ("s3://key:sec/r@t@bucket/posts.csv", "s3://t@bucket/posts.csv"),
        ("s3://key:se/cr/et@bucket/posts.csv", "s3://bucket/posts.csv"),
        ("ftp://me:p@ss@host/a@b.csv", "ftp://host/a@b.csv"),
        ("https://token@host/posts.csv", "https://host/posts.csv"),
        ("https://host/posts.csv?X-Amz-Signature=secret&b=c", "https://host/posts.csv"),
        ("hdfs://host:8020/me@home.csv", "hdfs://host:8020/me@home.csv"),
        (
            "abfs://container@account.dfs.core.windows.net/x.csv?sig=secret",
            "abfs://container@account.dfs.core.windows.net/x.csv",
        ),
        ("zip://a.csv::https://me:secret@host/b.zip", "zip://a.csv::https://host/b.zip"),
        ("zip://a.csv::s3://bucket/me@home.zip", "zip://a.csv::s3://bucket/me@home.zip"),
        ("s3://bucket/why?/posts.csv", "s3://bucket/why?/posts.csv"),
    ],
)
def test_an_address_is_shown_without_credentials(url, shown):
    assert show_url(url) == shown


# In and out


@pytest.mark.parametrize("out", ["csv", "jsonl.gz", "parquet", "sqlite"])
@pytest.mark.parametrize("suffix", WRITE)
def test_a_bucket_works_as_a_folder_does(suffix, out, job, bucket, tmp_path, here):
    given = tmp_path / f"given.{suffix}".rstrip(".")
    WRITE[suffix](given, post_rows(POSTS))
    bucket.put(str(given), f"/forum/{given.name}", recursive=True)
    local = again(job, inputs=(given,), output=tmp_path / f"local.{out}")
    expected = label(local)
    account = label(again(job, inputs=(f"memory://forum/{given.name}",), output=f"memory://done/out.{out}"))
    assert bucket.cat_file(f"/done/out.{out}") == local.output.read_bytes()
    assert account.identity.inputs[0].sha256 == expected.identity.inputs[0].sha256
    assert account.identity.inputs[0].name == f"memory://forum/{given.name}"
    assert names(here) == []


def test_a_job_leaves_the_output_and_the_account_in_the_bucket_and_nothing_here(job, bucket, here):
    account = label(job)
    assert bucket.find("/done") == ["/done/out.jsonl", "/done/out.jsonl.job.json"]
    kept = bucket.cat_file("/done/out.jsonl.job.json")
    assert msgspec.json.decode(kept, type=Account) == account
    assert (account.output, account.rejected_file) == ("memory://done/out.jsonl", None)
    assert str(here).encode() not in kept
    assert b"staged" not in kept
    assert names(here) == []


def test_a_remote_input_and_a_local_output(job, locally, tmp_path, here):
    account = label(again(job, output=here / "out.jsonl"))
    assert (here / "out.jsonl").read_bytes() == locally[0]
    assert account.output == str(here / "out.jsonl")
    assert names(here) == ["out.jsonl", "out.jsonl.job.json"]


def test_a_local_input_and_a_remote_output(job, locally, bucket, tmp_path):
    account = label(again(job, inputs=(tmp_path / "posts.csv",)))
    assert bucket.cat_file("/done/out.jsonl") == locally[0]
    assert account.identity.inputs[0].name == "posts.csv"


def test_a_share_in_and_out(job, locally, share, tmp_path, here):
    folder, lies_in = share
    (folder / "posts.csv").write_bytes((tmp_path / "posts.csv").read_bytes())
    account = label(again(job, inputs=(f"dir://posts.csv{lies_in}",), output=f"dir://out.jsonl{lies_in}"))
    assert (folder / "out.jsonl").read_bytes() == locally[0]
    assert account.output == f"dir://out.jsonl{lies_in}"
    assert names(folder) == ["out.jsonl", "out.jsonl.job.json", "posts.csv"]
    assert names(here) == []


def test_paths_given_as_text_are_local(job, locally, tmp_path):
    label(again(job, inputs=(str(tmp_path / "posts.csv"),), output=f"file://{tmp_path.as_posix()}/again.jsonl"))
    assert (tmp_path / "again.jsonl").read_bytes() == locally[0]


def test_rejected_rows_are_put_beside_the_output_and_name_their_input(job, bucket, tmp_path):
    bucket.pipe_file("/forum/more.csv", b"id,text\n1\n2,joy\n")
    (tmp_path / "own.csv").write_text("id,text\n1\n")
    account = label(again(job, inputs=(*job.inputs, "memory://forum/more.csv", tmp_path / "own.csv")))
    rows = [json.loads(line) for line in bucket.cat_file("/done/out.jsonl.rejected.jsonl").splitlines()]
    assert [row["source"] for row in rows] == ["memory://forum/more.csv", str(tmp_path / "own.csv")]
    assert account.rejected_file == "memory://done/out.jsonl.rejected.jsonl"


def test_rejected_entries_name_their_file(job, bucket, here):
    bucket.pipe_file("/journal/deep/bad.txt", b"\xff")
    label(again(job, inputs=(*job.inputs, "memory://journal"), output=here / "out.jsonl"))
    row = json.loads((here / "out.jsonl.rejected.jsonl").read_text())
    assert row["source"] == "memory://journal/deep/bad.txt"


def test_the_rejected_rows_of_an_older_job_go_with_it(job, bucket):
    bucket.pipe_file("/done/out.jsonl.rejected.jsonl", b"{}")
    label(again(job, overwrite=True))
    assert not bucket.exists("/done/out.jsonl.rejected.jsonl")


def test_a_work_folder_can_be_named(job, tmp_path, here):
    (tmp_path / "work").mkdir()
    with pytest.raises(Interrupted):
        label(again(job, work_folder=tmp_path / "work"), stop_after(2))
    assert names(here) == []
    assert names(tmp_path / "work")
    assert label(again(job, work_folder=tmp_path / "work", resume=True)).chunks_resumed == 2
    assert names(tmp_path / "work") == []


def test_the_command_takes_addresses(job, locally, bucket, capsys):
    from compersion_nlp.cli.label import label as command

    command(list(job.inputs), job.output, model=str(job.model), chunk_size=4)
    assert bucket.cat_file("/done/out.jsonl") == locally[0]
    assert "written to memory://done/out.jsonl" in capsys.readouterr().out


def test_where_an_upload_is_seen_only_whole_nothing_is_moved(job, locally, bucket, monkeypatch):
    monkeypatch.setattr(MemoryFileSystem, "protocol", ("gs", "gcs"))
    monkeypatch.setattr(MemoryFileSystem, "mv", None)
    label(job)
    assert bucket.cat_file("/done/out.jsonl") == locally[0]


# In the way


def test_a_remote_output_that_is_there_is_not_replaced(job, bucket, here, fetches):
    bucket.pipe_file("/done/out.jsonl", b"precious")
    with pytest.raises(BadInput, match=r"memory://done/out.jsonl exists.\nReplace it with --overwrite"):
        label(job)
    assert bucket.cat_file("/done/out.jsonl") == b"precious"
    assert names(here) == []
    assert fetches == []


def test_overwrite_replaces_it_only_at_the_end(job, bucket):
    bucket.pipe_file("/done/out.jsonl", b"precious")
    with pytest.raises(Interrupted):
        label(again(job, overwrite=True), stop_after(3))
    assert bucket.cat_file("/done/out.jsonl") == b"precious"
    label(again(job, resume=True))
    assert len(bucket.cat_file("/done/out.jsonl").splitlines()) == 25


def test_a_network_that_is_down_is_no_missing_output(job, bucket, monkeypatch):
    bucket.pipe_file("/done/out.jsonl", b"precious")
    real = MemoryFileSystem.info

    def info(self, path, **named):
        if "done" in path:
            raise OSError("no route to host")
        return real(self, path, **named)

    with monkeypatch.context() as network:
        network.setattr(MemoryFileSystem, "info", info)
        with pytest.raises(
            BadInput, match=r"out.jsonl could not be read: OSError: no route to host.\nCheck the network"
        ):
            label(job)
    assert bucket.cat_file("/done/out.jsonl") == b"precious"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"output": "memory://forum/posts.csv", "overwrite": True},
            BadInput,
            "output memory://forum/posts.csv is an input",
        ),
        ({"output": "memory://forum", "write": WriteOptions("csv")}, BadInput, "memory://forum is a folder"),
        ({"output": "memory://forum/"}, BadInput, "output memory://forum/ is a folder"),
        ({"output": "memory://done/out.docx"}, BadInput, r"^memory://done/out.docx: the suffix '.docx'"),
        (
            {"inputs": ("memory://forum/none.csv",)},
            BadInput,
            r"memory://forum/none.csv does not exist.\nCheck the address",
        ),
        ({"read": ReadOptions(text_column="body")}, BadInput, r"^memory://forum/posts.csv.* no column 'body'"),
        ({"chunk_size": 0}, BadConfig, "The chunk size is 0"),
        ({"resume": True, "overwrite": True}, BadConfig, "Both resume and overwrite"),
        ({"work_folder": Path("nowhere")}, BadInput, "The folder nowhere does not exist"),
        ({"output": Path("nowhere/out.csv")}, BadInput, "The folder nowhere does not exist"),
        (
            {"inputs": ("nonsense://x.csv",)},
            BadInput,
            r"nonsense://x.csv cannot be opened: .*not known.*\nCheck the address",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_work_leaves_nothing_behind(job, changes, error, message, bucket, here):
    with pytest.raises(error, match=message):
        label(again(job, **changes))
    assert names(here) == []
    assert bucket.find("/") == ["/forum/posts.csv"]


def test_a_folder_without_entries_is_told_by_its_address(job, bucket):
    bucket.pipe_file("/album/photo.jpg", b"")
    with pytest.raises(BadInput, match="memory://album holds no entry"):
        label(again(job, inputs=("memory://album",)))


def test_an_output_that_cannot_be_written_is_told_before_anything_is_fetched(job, share, fetches, here):
    with pytest.raises(BadInput, match=r"cannot be written: no such bucket or folder"):
        label(again(job, output=f"dir://nowhere/out.jsonl{share[1]}"))
    assert fetches == []
    assert names(here) == []


def test_an_entry_whose_name_leads_out_of_the_folder_is_refused(job, bucket, tmp_path):
    bucket.store["/journal/../../../evil.md"] = bucket.open("/forum/posts.csv")
    with pytest.raises(BadInput, match=r"holds '../../../evil.md', which cannot be the name of a file"):
        label(again(job, inputs=("memory://journal",)))


def test_a_job_that_another_process_works_on_is_left_alone(job, here):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    (folder,) = here.iterdir()
    before = names(here)
    with (
        WorkFolder(folder / "staging").locked(),
        pytest.raises(BadInput, match=r"Another process is working on out.jsonl-"),
    ):
        label(again(job, overwrite=True))
    assert names(here) == before


def test_what_is_in_the_folder_but_no_jobs_is_not_removed(job, here):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    (folder,) = here.iterdir()
    (folder / "precious").write_text("mine")
    label(again(job, resume=True))
    assert names(folder) == ["precious"]


# Resuming


@pytest.mark.parametrize("chunks", [1, 4])
def test_a_resumed_job_fetches_nothing_again_and_gives_the_same_bytes(job, chunks, locally, bucket, here, fetches):
    with pytest.raises(Interrupted, match=r"interrupted.\nWhat is done is kept: go on with --resume"):
        label(job, stop_after(chunks))
    assert not bucket.exists("/done/out.jsonl")
    account = label(again(job, resume=True))
    assert account.chunks_resumed == chunks
    assert bucket.cat_file("/done/out.jsonl") == locally[0]
    assert len(fetches) == 1
    assert names(here) == []


def test_an_unfinished_job_is_not_begun_anew_unasked(job, here):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    with pytest.raises(
        BadInput, match=r"There is an unfinished job in out.jsonl-[0-9a-f]{8}.staged.\n.*--resume.*--overwrite"
    ):
        label(job)
    assert label(again(job, overwrite=True)).chunks_resumed == 0
    assert names(here) == []


def test_an_input_that_changed_is_fetched_again_and_its_job_not_resumed(job, bucket, fetches):
    sound = bucket.cat_file("/forum/posts.csv")
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    bucket.pipe_file("/forum/posts.csv", sound.replace(b"joy", b"sad"))  # of the same size
    with pytest.raises(BadInput, match=r"the input changed: memory://forum/posts.csv was sha256"):
        label(again(job, resume=True))
    bucket.pipe_file("/forum/posts.csv", sound)
    assert label(again(job, resume=True)).chunks_resumed == 2
    assert len(fetches) == 3


def test_an_input_whose_state_cannot_be_told_is_fetched_again(job, monkeypatch, fetches):
    real = MemoryFileSystem.info
    monkeypatch.setattr(MemoryFileSystem, "info", lambda self, path, **named: {**real(self, path), "created": None})
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    assert label(again(job, resume=True)).chunks_resumed == 2
    assert len(fetches) == 2


def test_a_copy_that_was_damaged_is_fetched_again(job, here, fetches):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    (copy,) = here.rglob("posts.csv")
    copy.write_text("id,text\n")
    assert label(again(job, resume=True)).chunks_resumed == 2
    assert len(fetches) == 2


def test_an_unfinished_job_with_a_local_output_is_resumed(job, locally, here, fetches):
    local = again(job, output=here / "out.jsonl")
    with pytest.raises(Interrupted):
        label(local, stop_after(2))
    with pytest.raises(BadInput, match=r"unfinished job in .*out.jsonl.job"):
        label(local)
    assert label(again(local, resume=True)).chunks_resumed == 2
    assert len(fetches) == 1
    assert names(here) == ["out.jsonl", "out.jsonl.job.json"]


def test_resume_of_a_finished_job_returns_its_account(job, bucket, here):
    account = label(job)
    written = bucket.created("/done/out.jsonl")
    assert label(again(job, resume=True)) == account
    assert bucket.created("/done/out.jsonl") == written
    assert names(here) == []


def test_resume_with_the_output_of_another_job_there_is_refused(job, here):
    label(job)
    with pytest.raises(
        BadInput, match=r"^memory://done/out.jsonl is the finished output of another job: explain was True"
    ):
        label(again(job, resume=True, explain=False))
    assert names(here) == []


def test_resume_with_a_file_there_that_no_job_wrote_is_refused(job, bucket, here):
    bucket.pipe_file("/done/out.jsonl", b"precious")
    with pytest.raises(BadInput, match=r"memory://done/out.jsonl has no account"):
        label(again(job, resume=True))
    assert bucket.cat_file("/done/out.jsonl") == b"precious"
    assert names(here) == []


def test_two_outputs_of_one_name_are_two_jobs(job, bucket):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    label(again(job, output="memory://elsewhere/out.jsonl"))
    assert label(again(job, resume=True)).chunks_resumed == 2


# What breaks off


@pytest.mark.parametrize("left", [b"", b"id,text\n1,joy\n"], ids=["nothing", "a beginning"])
@pytest.mark.parametrize("error", [OSError("connection reset"), KeyboardInterrupt(), None], ids=repr)
def test_a_fetch_that_broke_off_is_never_taken_for_whole(job, left, error, locally, bucket, here, monkeypatch):
    def get_file(self, remote, local, *rest, **named):
        Path(local).write_bytes(left)
        if error is not None:
            raise error

    with monkeypatch.context() as network:
        network.setattr(MemoryFileSystem, "get_file", get_file)
        with pytest.raises((BadInput, Interrupted)) as caught:
            label(job)
    assert "--resume" in caught.value.hint
    assert names(here) == []
    label(again(job, resume=True))
    assert bucket.cat_file("/done/out.jsonl") == locally[0]


def test_what_was_fetched_whole_before_another_fetch_broke_off_is_kept(job, bucket, here, monkeypatch, fetches):
    bucket.pipe_file("/forum/more.csv", b"id,text\n1,joy\n")
    both = again(job, inputs=(*job.inputs, "memory://forum/more.csv"))
    real = MemoryFileSystem.get_file

    def get_file(self, remote, *rest, **named):
        if "more" in remote:
            raise OSError("connection reset")
        return real(self, remote, *rest, **named)

    with monkeypatch.context() as network:
        network.setattr(MemoryFileSystem, "get_file", get_file)
        with pytest.raises(BadInput, match=r"more.csv could not be fetched: OSError: connection reset"):
            label(both)
    assert label(both).read == 26  # there is no job yet that could be in the way
    assert len(fetches) == 2
    assert names(here) == []


def test_an_input_that_changes_while_it_is_fetched_is_an_error(job, bucket, here, monkeypatch):
    real = MemoryFileSystem.get_file

    def get_file(self, remote, *rest, **named):
        real(self, remote, *rest, **named)
        bucket.pipe_file("/forum/posts.csv", bucket.cat_file("/forum/posts.csv"))

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    with pytest.raises(BadInput, match=r"memory://forum/posts.csv changed while it was fetched"):
        label(job)
    assert names(here) == []


@pytest.mark.parametrize("broken", ["out.jsonl", ".job.json"])
def test_an_upload_that_broke_off_leaves_no_output_and_a_job_to_resume(
    job, broken, locally, bucket, here, monkeypatch, fetches
):
    real, puts = MemoryFileSystem.put_file, []

    def put_file(self, local, remote, *rest, **named):
        puts.append(local)
        if str(local).endswith(broken):
            self.pipe_file(remote, b"a beg")
            raise OSError("connection reset")
        return real(self, local, remote, *rest, **named)

    with monkeypatch.context() as network:
        network.setattr(MemoryFileSystem, "put_file", put_file)
        with pytest.raises(BadInput, match=r"could not be written: OSError: connection reset.\n.*--resume"):
            label(job)
    assert bucket.find("/done") == ([] if broken == "out.jsonl" else ["/done/out.jsonl"])
    with pytest.raises(BadInput, match="There is an unfinished job in"):
        label(job)
    account = label(again(job, resume=True))
    assert bucket.cat_file("/done/out.jsonl") == locally[0]
    assert account.output == "memory://done/out.jsonl"
    assert len(fetches) == 1
    assert names(here) == []


def test_a_file_system_that_puts_nothing_in_the_place_of_another_is_helped(job, locally, bucket, monkeypatch):
    bucket.pipe_file("/done/out.jsonl", b"old")
    real = MemoryFileSystem.mv

    def mv(self, one, other, **named):
        if self.exists(other):
            raise OSError("Failure")
        return real(self, one, other, **named)

    monkeypatch.setattr(MemoryFileSystem, "mv", mv)
    label(again(job, overwrite=True))
    assert bucket.cat_file("/done/out.jsonl") == locally[0]


def test_a_killed_look_at_a_finished_output_does_not_empty_it(job, bucket, monkeypatch, here):
    label(job)
    whole = bucket.cat_file("/done/out.jsonl")

    def killed(job, progress):
        raise KeyboardInterrupt

    with monkeypatch.context() as run:
        run.setattr("compersion_nlp.batch.run._label", killed)
        with pytest.raises(Interrupted):
            label(again(job, resume=True))
    label(again(job, resume=True))
    assert bucket.cat_file("/done/out.jsonl") == whole
    assert names(here) == []


# Credentials and packages


def test_credentials_are_in_no_message_and_no_file(job, bucket, here, monkeypatch):
    """The protocol takes user and password off the address, as those of FTP and SFTP do."""
    strip = MemoryFileSystem._strip_protocol.__func__
    monkeypatch.setattr(
        MemoryFileSystem, "_strip_protocol", classmethod(lambda cls, path: strip(cls, path.replace("me:s3cret@", "")))
    )
    secret = again(job, inputs=("memory://me:s3cret@forum/posts.csv",), output="memory://me:s3cret@done/out.jsonl")
    with pytest.raises(Interrupted):
        label(secret, stop_after(2))
    assert not any(b"s3cret" in path.read_bytes() for path in here.rglob("*") if path.is_file())
    account = label(again(secret, resume=True))
    assert account.output == "memory://done/out.jsonl"
    assert not any(b"s3cret" in bucket.cat_file(path) for path in bucket.find("/done"))


def test_an_error_that_quotes_credentials_is_not_passed_on(monkeypatch):
    def info(self, path, **named):
        raise OSError(f"403 for {path}")

    monkeypatch.setattr(MemoryFileSystem, "info", info)
    with pytest.raises(BadInput, match=r"^memory://forum/posts.csv could not be read: OSError") as caught:
        Remote("memory://me:s3cret@forum/posts.csv").stats()
    assert "s3cret" not in str(caught.value)


def test_no_permission_is_told(job, monkeypatch):
    def info(self, path, **named):
        raise PermissionError("Forbidden")

    monkeypatch.setattr(MemoryFileSystem, "info", info)
    with pytest.raises(BadInput, match=r"could not be read: PermissionError: Forbidden.\n.*your credentials"):
        label(job)


def test_a_missing_package_is_named(job, monkeypatch, here):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(
        BadInput, match=r"s3://b/posts.csv needs the package s3fs, which is not installed.\n.*pip install s3fs"
    ):
        label(again(job, inputs=("s3://b/posts.csv",)))
    assert names(here) == []


def test_local_jobs_do_not_load_fsspec():
    code = "import sys, compersion_nlp.batch, compersion_nlp.cli.label\nprint('fsspec' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
