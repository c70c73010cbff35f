"""The work folder: what the ledger says is done is done, whatever a kill or a disk has left behind."""

import subprocess
import sys
from hashlib import sha256

import msgspec
import pytest

from compersion_nlp.batch.job import Identity, InputDigest
from compersion_nlp.batch.ledger import WorkFolder, write_synced
from compersion_nlp.batch.reader import Entry, Part, Stored
from compersion_nlp.errors import BadInput
from compersion_nlp.sources import ReadOptions

IDENTITY = Identity((InputDigest("a.csv", "0" * 64),), "m@1", "1" * 64, ReadOptions(id_column="id"), 4, True)


def part(chunk, reason="x"):
    data = msgspec.msgpack.encode(Stored(bytes(8), {0: reason}, None))
    digest = sha256(data).hexdigest()
    return Part(Entry(chunk, chunk, chunk, 0, 1, "row 1: x", {"text": ["str"]}, digest), data)


@pytest.fixture
def work(tmp_path):
    folder = WorkFolder(tmp_path / "out.csv")
    with folder.locked():
        folder.begin(IDENTITY)
        yield folder


def fill(work, chunks=3):
    with work.ledger() as ledger:
        for number in range(1, chunks + 1):
            ledger.add(part(number))


def done(work):
    with work.ledger() as ledger:
        return [entry.chunk for entry in ledger.entries()]


def test_chunks_are_done_once_they_are_added(work):
    fill(work)
    assert done(work) == [1, 2, 3]


def test_an_entry_says_what_the_part_holds(work):
    fill(work, 1)
    with work.ledger() as ledger:
        entry = ledger.get(1)
    assert (entry.first, entry.labelled, entry.rejected, entry.complaint) == (1, 0, 1, "row 1: x")
    assert entry.columns == {"text": ["str"]}


def test_chunks_with_the_same_columns_hold_them_once(work):
    fill(work)
    with work.ledger() as ledger:
        ledger.add(part(4))
        assert len({id(entry.columns) for entry in ledger.entries()}) == 1


def test_entries_come_in_the_order_of_the_chunks(work):
    with work.ledger() as ledger:
        ledger.add(part(2))
        ledger.add(part(1))
        assert [entry.chunk for entry in ledger.entries()] == [1, 2]


def test_a_chunk_that_a_process_ended_on_is_suspect(work):
    assert work.suspect() is None
    work.begin_chunk(3)
    assert work.suspect() == 3
    with work.ending_chunks():
        work.begin_chunk(4)
    assert work.suspect() is None
    (work.path / "begun").write_bytes(b"")
    assert work.suspect() is None


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_discarded_and_the_next_is_whole(work, cut):
    fill(work)
    path = work.path / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert done(work) == [1, 2]
    with work.ledger() as ledger:
        ledger.add(part(3))
    assert done(work) == [1, 2, 3]


def test_a_damaged_line_in_the_middle_costs_its_own_chunk_alone(work):
    fill(work)
    path = work.path / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"chunk": \xff\n' + lines[2])
    assert done(work) == [1, 3]


def test_a_missing_part_is_not_done(work):
    fill(work)
    (work.path / "parts" / "000002.msgpack").unlink()
    assert done(work) == [1, 3]


def test_a_part_with_other_contents_is_not_done(work):
    fill(work)
    (work.path / "parts" / "000002.msgpack").write_bytes(b"other")
    assert done(work) == [1, 3]


def test_a_chunk_that_is_done_again_counts_as_it_was_done_last(work):
    fill(work)
    with work.ledger() as ledger:
        ledger.add(part(2, "y"))
    with work.ledger() as ledger:
        assert [ledger.read(chunk).rejected[0] for chunk in (1, 2, 3)] == ["x", "y", "x"]


def test_a_folder_without_identity_holds_no_job(work):
    assert work.unfinished
    work.clear()
    assert not work.unfinished


def test_a_finished_job_leaves_no_folder(tmp_path):
    work = WorkFolder(tmp_path / "out.csv")
    with work.locked():
        work.begin(IDENTITY)
        fill(work)
        work.clear()
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_job_keeps_its_folder(tmp_path):
    work = WorkFolder(tmp_path / "out.csv")
    with work.locked():
        work.begin(IDENTITY)
    assert work.identity() == IDENTITY


def test_a_folder_with_something_of_somebody_else_is_left_alone(tmp_path):
    work = WorkFolder(tmp_path / "out.csv")
    work.path.mkdir()
    (work.path / "diary.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"holds 'diary.txt', which no job puts there.\nMove that folder"), work.locked():
        work.begin(IDENTITY)
    assert (work.path / "diary.txt").read_text() == "mine"


def test_two_processes_cannot_work_in_one_folder(work):
    script = (
        "import sys; from pathlib import Path; from compersion_nlp.batch.ledger import WorkFolder\n"
        "with WorkFolder(Path(sys.argv[1])).locked(): pass"
    )
    other = subprocess.run(
        [sys.executable, "-c", script, str(work.path.with_suffix(""))], capture_output=True, text=True, check=False
    )
    assert "Another process is working on" in other.stderr
    assert work.unfinished


def test_a_lock_that_was_removed_meanwhile_is_not_held(tmp_path, monkeypatch):
    work = WorkFolder(tmp_path / "out.csv")

    def lock(file):
        (work.path / "lock").unlink()
        return True

    monkeypatch.setattr("compersion_nlp.batch.ledger._lock", lock)
    with pytest.raises(BadInput, match="Another process"), work.locked():
        pass


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_synced(path, b"old")
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_synced(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("identity", [b"", b"{}", b'{"inputs": [], "of": "another version"}'])
def test_an_identity_of_another_version_is_told(work, identity):
    (work.path / "job.json").write_bytes(identity)
    with pytest.raises(BadInput, match=r"not the identity of a job of this version: .*\nStart anew with --overwrite"):
        work.identity()
