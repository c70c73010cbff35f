"""Jobs: every row is labelled or rejected, and a job that was stopped goes on where it stopped."""

import csv
import errno
import json
import os

import msgspec
import pytest

import compersion_nlp.batch.account
from compersion_nlp.batch import Job, Progress, account_path, label, read_account, rejected_path
from compersion_nlp.batch.account import Account, Tally
from compersion_nlp.batch.job import Identity, InputDigest
from compersion_nlp.batch.reader import Chunk, ChunkReader
from compersion_nlp.bundle import add_bundle, verify_bundle
from compersion_nlp.engines import Joblib, WorkerDied
from compersion_nlp.errors import BadBundle, BadConfig, BadInput, BadScorer, CompersionError, Interrupted
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sinks import WriteOptions
from compersion_nlp.sources import ReadOptions

pytestmark = pytest.mark.usefixtures("word_tagger")


def write_posts(path, texts, ids=None):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "text", "likes"])
        rows.writerows([ids[n] if ids else n, text, 2 * n] for n, text in enumerate(texts))
    return path


@pytest.fixture
def job(tmp_path, plain_bundle):
    posts = write_posts(tmp_path / "posts.csv", [f"post {n}{' joy' * (n % 3)}" for n in range(25)])
    return Job(inputs=(posts,), output=tmp_path / "out.jsonl", model=plain_bundle, chunk_size=4)


@pytest.fixture
def in_two(job, tmp_path):
    """Returns a job whose columns only the rows tell: it reads them all before it writes the first."""
    posts = tmp_path / "posts.jsonl"
    posts.write_text("".join(json.dumps({"text": f"joy {n}", "likes": n}) + "\n" for n in range(25)))
    return again(job, inputs=(posts,), output=tmp_path / "out.csv")


def again(job, **changes):
    return msgspec.structs.replace(job, **changes)


def rows(job):
    return [json.loads(line) for line in job.output.read_text().splitlines()]


def stop_after(chunks, error=KeyboardInterrupt):
    def listen(progress):
        if progress.stage == "reading" and progress.chunks == chunks:
            raise error

    return listen


def stop_in(stage, error=KeyboardInterrupt):
    def listen(progress):
        if progress.stage == stage:
            raise error

    return listen


def names(job):
    return sorted(path.name for path in job.output.parent.iterdir())


# What comes out


def test_every_row_is_written_with_its_columns_and_its_reading(job):
    account = label(job)
    found = rows(job)
    assert (account.read, account.labelled, account.rejected, account.chunks) == (25, 25, 0, 7)
    assert [row["text"] for row in found[:3]] == ["post 0", "post 1 joy", "post 2 joy joy"]
    assert [row["likes"] for row in found[:3]] == ["0", "2", "4"]
    assert found[1]["reading"]["felt"] == ["joy"]
    assert found[1]["reading"]["evidence"] == {"joy": [[0, 10]]}
    assert found[0]["reading"]["model"] == "plain@1"


def test_a_job_leaves_the_output_and_the_account_and_nothing_else(job):
    account = label(job)
    assert names(job) == ["out.jsonl", "out.jsonl.job.json", "posts.csv"]
    assert read_account(job.output) == account


def test_labels_only_rows_hold_no_evidence(job):
    label(again(job, explain=False))
    assert set(rows(job)[1]["reading"]) == {"felt", "probabilities", "provisional", "model"}


def test_the_chunk_size_does_not_change_the_output(job):
    label(job)
    first = job.output.read_bytes()
    label(again(job, chunk_size=1000, overwrite=True))
    assert job.output.read_bytes() == first


def test_several_inputs_are_numbered_through(job, tmp_path):
    more = write_posts(tmp_path / "more.csv", ["more joy"])
    account = label(again(job, inputs=(*job.inputs, more)))
    assert account.read == 26
    assert rows(job)[25]["text"] == "more joy"
    assert [one.name for one in account.identity.inputs] == ["posts.csv", "more.csv"]


def test_an_input_without_rows_gives_an_output_without_rows(job):
    write_posts(job.inputs[0], [])
    account = label(again(job, output=job.output.with_suffix(".csv")))
    assert (account.read, account.chunks, account.duplicate_ids) == (0, 0, 0)
    assert job.output.with_suffix(".csv").read_text().startswith("id,text,likes,felt,")


def test_columns_that_give_way_and_guarded_cells_are_told(job):
    job.inputs[0].write_text("text,felt\n=joy,1\n")
    account = label(again(job, output=job.output.with_suffix(".csv")))
    assert (account.renamed, account.guarded) == ({"felt": "input_felt"}, 1)


def test_ids_that_come_again_are_labelled_and_counted(job):
    write_posts(job.inputs[0], ["a", "b", "c", "d", "e"], ids=["x", "y", "x", "x", ""])
    account = label(again(job, read=ReadOptions(id_column="id")))
    assert (account.labelled, account.duplicate_ids) == (5, 2)


def test_ten_thousand_ids_take_eight_bytes_each():
    tally = Tally()
    tally.count(Passage("t", n, f"id {n % 9_999}") for n in range(10_000))
    assert tally._ids.itemsize * len(tally._ids) == 80_000
    assert tally.duplicate_ids() == 1


# Rejected rows


def test_rows_that_cannot_be_read_are_set_aside_with_number_reason_and_raw_row(job):
    job.inputs[0].write_bytes(b"id,text\n1,joy\n2\n3,caf\xe9\n4,joy\n")
    account = label(again(job, chunk_size=3))
    kept = [json.loads(line) for line in rejected_path(job.output).read_text().splitlines()]
    assert (account.read, account.labelled, account.rejected) == (4, 2, 2)
    assert [(row["number"], row["raw"]) for row in kept] == [(2, "2"), (3, "3,caf\\xe9")]
    assert sorted(account.reasons.values()) == [1, 1]
    assert sum("utf-8" in reason for reason in account.reasons) == 1
    assert kept[1]["raw_base64"] == "MyxjYWbp"
    assert account.rejected_file == str(rejected_path(job.output))


@pytest.mark.parametrize("poisoned", [[0], [24], [3, 4], [8, 9, 10, 11]], ids=str)
def test_only_the_rows_that_the_model_fails_on_are_rejected(job, poisoned):
    write_posts(job.inputs[0], ["poison" if n in poisoned else f"joy {n}" for n in range(25)])
    account = label(job)
    kept = [json.loads(line) for line in rejected_path(job.output).read_text().splitlines()]
    assert [row["id"] for row in rows(job)] == [str(n) for n in range(25) if n not in poisoned]
    assert [row["number"] for row in kept] == [n + 1 for n in poisoned]
    assert account.reasons == {"the model failed: ValueError: the batch is too bitter to score": len(poisoned)}
    assert json.loads(kept[0]["raw"])["text"] == "poison"


def test_a_reason_does_not_quote_the_text(word_tagger, monkeypatch):
    tabulate = word_tagger.tabulate

    def quoting(passages, explain):
        if "secret affair" in passages:
            raise ValueError(f"cannot score {passages[0]!r}")
        return tabulate(passages, explain)

    monkeypatch.setattr(word_tagger, "tabulate", quoting)
    found = ChunkReader("", "", True)(Chunk(1, (Passage("secret affair", 1),)))
    assert found.entry.complaint == "row 1: the model failed: ValueError"


def test_a_model_that_fails_on_everything_is_an_error_and_not_a_pile_of_rejected_rows(job, word_tagger, monkeypatch):
    def broken(passages, explain):
        raise RuntimeError("weights are gone")

    monkeypatch.setattr(word_tagger, "tabulate", broken)
    with pytest.raises(BadScorer, match=r"plain@1 could not read .* RuntimeError: weights are gone.\nThe fault"):
        label(job)


def test_strict_stops_at_a_rejected_row_and_names_it(job):
    job.inputs[0].write_text("id,text\n1,joy\n2\n")
    with pytest.raises(BadInput, match=r"A row was rejected: row 2: .*\nMend the row, or leave --strict out"):
        label(again(job, strict=True))
    assert not job.output.exists()


def test_strict_stops_a_resumed_job_too(job):
    write_posts(job.inputs[0], ["joy"] * 5 + ["poison"] + ["joy"] * 19)
    with pytest.raises(Interrupted):
        label(job, stop_after(4))
    with pytest.raises(BadInput, match="row 6: the model failed"):
        label(again(job, resume=True, strict=True))
    assert label(again(job, resume=True)).rejected == 1


def test_many_reasons_are_counted_together_beyond_a_hundred():
    tally = Tally()
    tally.count(Rejected(n, f"reason {n}", "") for n in range(150))
    assert tally.reasons["other reasons"] == 50
    assert tally.rejected == 150


def test_an_account_that_does_not_add_up_is_refused(job):
    account = msgspec.structs.asdict(label(job))
    with pytest.raises(AssertionError, match="26 read, 25 labelled, 0 rejected"):
        Account(**{**account, "read": 26})


# In the way


def test_an_output_that_is_there_is_not_replaced(job):
    job.output.write_text("precious")
    with pytest.raises(BadInput, match=r"out.jsonl exists.\nReplace it with --overwrite"):
        label(job)
    assert job.output.read_text() == "precious"
    assert names(job) == ["out.jsonl", "posts.csv"]


def test_overwrite_replaces_it_only_at_the_end(job):
    job.output.write_text("precious")
    with pytest.raises(Interrupted):
        label(again(job, overwrite=True), stop_after(6))
    assert job.output.read_text() == "precious"
    label(again(job, resume=True))
    assert len(rows(job)) == 25


def test_an_unfinished_job_is_not_begun_anew_unasked(job):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    with pytest.raises(BadInput, match=r"There is an unfinished job in .*out.jsonl.job.\n.*--resume.*--overwrite"):
        label(job)


def test_overwrite_discards_an_unfinished_job(job):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    assert label(again(job, overwrite=True)).chunks_resumed == 0


def test_the_rejected_rows_of_an_older_job_go_with_it(job):
    write_posts(job.inputs[0], ["poison", "joy"])
    label(job)
    assert rejected_path(job.output).exists()
    write_posts(job.inputs[0], ["joy", "joy"])
    label(again(job, overwrite=True))
    assert not rejected_path(job.output).exists()


def test_an_output_that_is_an_input_is_refused(job):
    with pytest.raises(BadInput, match="is an input"):
        label(again(job, output=job.inputs[0], overwrite=True))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"chunk_size": 0}, BadConfig, "The chunk size is 0"),
        ({"resume": True, "overwrite": True}, BadConfig, "Both resume and overwrite"),
        ({"engine": "steam"}, BadConfig, r"no engine 'steam'.\nAvailable: joblib, ray, serial"),
        ({"workers": 3}, BadConfig, "one worker, and 3 were asked for"),
        ({"write": WriteOptions(format="docx")}, BadConfig, "no format 'docx'"),
        ({"read": ReadOptions(text_column="body")}, BadInput, "no column 'body'"),
    ],
    ids=["chunk size", "both ways", "engine", "workers", "format", "column"],
)
def test_what_cannot_work_is_refused_before_anything_is_written(job, changes, error, message):
    with pytest.raises(error, match=message):
        label(again(job, **changes))
    assert names(job) == ["posts.csv"]


def test_an_output_in_no_folder_is_refused(job, tmp_path):
    with pytest.raises(BadInput, match=r"folder .*nowhere does not exist"):
        label(again(job, output=tmp_path / "nowhere" / "out.csv"))


# Resuming


@pytest.mark.parametrize("chunks", [1, 3, 7])
def test_a_resumed_job_gives_the_bytes_of_an_undisturbed_one(job, chunks, word_tagger, monkeypatch):
    label(job)
    undisturbed = job.output.read_bytes()
    label_job = again(job, output=job.output.with_name("again.jsonl"))
    with pytest.raises(Interrupted, match=r"interrupted.\nWhat is done is kept: go on with --resume"):
        label(label_job, stop_after(chunks))
    read = []
    tabulate = word_tagger.tabulate
    monkeypatch.setattr(
        word_tagger, "tabulate", lambda texts, *rest, **named: (read.extend(texts), tabulate(texts, *rest, **named))[1]
    )
    account = label(again(label_job, resume=True))
    assert label_job.output.read_bytes() == undisturbed
    assert (account.chunks, account.chunks_resumed) == (7, chunks)
    assert len(read) == max(0, 25 - 4 * chunks)


def test_resume_begins_a_job_where_there_is_none(job):
    assert label(again(job, resume=True)).chunks_resumed == 0


def test_resume_of_a_finished_job_returns_its_account(job):
    account = label(job)
    written = job.output.stat().st_mtime_ns
    assert label(again(job, resume=True)) == account
    assert job.output.stat().st_mtime_ns == written


def test_resume_with_the_output_of_another_job_there_is_refused(job):
    label(job)
    with pytest.raises(BadInput, match=r"finished output of another job: explain was True.*now it is False"):
        label(again(job, resume=True, explain=False))


def test_resume_with_a_file_there_that_no_job_wrote_is_refused(job):
    job.output.write_text("precious")
    with pytest.raises(BadInput, match="has no account"):
        label(again(job, resume=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chunk_size": 5}, "chunk_size was 4 when the job began, now it is 5"),
        ({"explain": False}, "explain was True when the job began, now it is False"),
        ({"read": ReadOptions(text_column="id")}, "option text_column was None when the job began, now it is 'id'"),
    ],
    ids=["chunk size", "explain", "columns"],
)
def test_a_changed_job_is_not_resumed_and_says_what_changed(job, changes, message):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    with pytest.raises(BadInput, match=f"cannot be resumed: .*{message}"):
        label(again(job, resume=True, **changes))
    assert label(again(job, resume=True)).chunks_resumed == 2


def test_a_changed_input_is_not_resumed(job):
    with pytest.raises(Interrupted):
        label(job, stop_after(2))
    write_posts(job.inputs[0], ["other"])
    with pytest.raises(BadInput, match=r"the input changed: posts.csv was sha256 [0-9a-f]{12}... when the job began"):
        label(again(job, resume=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": ()}, "number of inputs was 1 when the job began, now it is 0"),
        ({"inputs": (InputDigest("b.csv", "0" * 64),)}, "an input was a.csv when the job began, now it is b.csv"),
        ({"bundle": "1" * 64, "model": "m@2"}, r"the model changed: it was m@1 \(000000000000\.\.\.\).* now it is m@2"),
        ({"package": "9.9"}, "package was .* now it is 9.9"),
    ],
    ids=["number", "name", "model", "package"],
)
def test_an_identity_says_what_changed(changes, message):
    was = Identity((InputDigest("a.csv", "0" * 64),), "m@1", "0" * 64, ReadOptions(), 4, True)
    assert was.change(was) is None
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(was.change(msgspec.structs.replace(was, **changes)))


def test_engine_and_form_of_the_output_can_change_between_runs(in_two):
    with pytest.raises(Interrupted):
        label(in_two, stop_in("writing"))
    account = label(again(in_two, resume=True, write=WriteOptions(raw_cells=True), engine="joblib"))
    assert (account.chunks_resumed, account.engine) == (7, "joblib")


def test_a_part_that_was_lost_is_read_again(job):
    with pytest.raises(Interrupted):
        label(job, stop_after(7))
    (job.output.with_name("out.jsonl.job") / "parts" / "000003.msgpack").unlink()
    assert label(again(job, resume=True)).chunks_resumed == 6
    assert [row["id"] for row in rows(job)] == [str(n) for n in range(25)]


# What goes wrong on the way


def test_an_input_that_changes_while_it_is_read_is_an_error_and_no_output(job):
    def touch(progress):
        if progress.chunks == 2:
            os.utime(job.inputs[0], ns=(1, 1))

    with pytest.raises(BadInput, match=r"changed while the job was reading it: .*posts.csv"):
        label(job, touch)
    assert not job.output.exists()
    assert label(again(job, resume=True)).read == 25  # only its time had changed


@pytest.mark.parametrize(
    ("old", "new"),
    [('"joy 24", "likes": 24}', '"joy 24", "likes": 24}\n{"text": "more"}'), ("joy 17", "joy 71"), ("joy 24", "")],
    ids=["longer", "another text", "no text"],
)
def test_an_input_that_changes_before_it_is_read_again_is_an_error_and_no_output(in_two, old, new):
    def rewrite(progress):
        if progress.stage == "writing" and progress.chunks == 1:
            posts = in_two.inputs[0]
            posts.write_text(posts.read_text().replace(old, new))

    with pytest.raises(BadInput, match="changed"):
        label(in_two, rewrite)
    assert not in_two.output.exists()


@pytest.mark.parametrize("stage", ["reading", "writing"])
def test_a_full_disk_is_an_error_that_can_be_resumed(in_two, stage):
    with pytest.raises(CompersionError, match=r"No space left on device.\nFree some space. What is done is kept"):
        label(in_two, stop_in(stage, OSError(errno.ENOSPC, "No space left on device")))
    assert label(again(in_two, resume=True)).read == 25


def test_a_disk_that_is_full_for_a_part_leaves_a_job_to_resume(job, monkeypatch):
    real, left = os.fsync, iter(range(12))

    def fsync(descriptor):
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as full:
        full.setattr("os.fsync", fsync)
        with pytest.raises(CompersionError, match="No space left"):
            label(job)
    account = label(again(job, resume=True))
    assert 0 < account.chunks_resumed < 7
    assert len(rows(job)) == 25


def test_an_output_that_the_sink_cannot_write_leaves_a_job_to_resume(job, monkeypatch):
    from compersion_nlp.sinks.jsonl import JsonLinesWriter

    def full(self, columns, row):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(JsonLinesWriter, "write", full)
        with pytest.raises(BadInput, match="could not be written: No space left on device"):
            label(job)
    assert names(job) == ["out.jsonl.job", "posts.csv"]
    assert label(again(job, resume=True)).chunks_resumed == 1


def test_a_worker_that_dies_leaves_a_job_to_resume(job, monkeypatch):
    def dying(self, function, items):
        yield function(next(iter(items)))
        raise WorkerDied("A worker process died.", "Try fewer workers.")

    with monkeypatch.context() as engine:
        engine.setattr(Joblib, "map", dying)
        with pytest.raises(CompersionError, match=r"died.\nTry fewer workers. What is done is kept"):
            label(again(job, engine="joblib", workers=2))
    assert label(again(job, resume=True)).chunks_resumed == 1


# Progress


def test_progress_counts_to_the_end_of_both_passes(in_two):
    told = []
    label(in_two, told.append)
    reading, writing = ([one for one in told if one.stage == stage] for stage in ("reading", "writing"))
    assert [one.items for one in reading] == [4, 8, 12, 16, 20, 24, 25]
    assert [one.items for one in writing] == [4, 8, 12, 16, 20, 24, 25]
    assert writing[-1].share == 1.0


def test_where_the_columns_are_known_a_chunk_is_written_as_soon_as_it_is_read(job):
    told = []
    label(job, told.append)
    assert {one.stage for one in told} == {"reading"}
    reading = told
    assert reading[3].share == pytest.approx(16 / 26)  # the header is a line too
    assert reading[3].remaining > 0


def test_rows_over_several_lines_do_not_spoil_the_share(job):
    write_posts(job.inputs[0], ["one\ntwo\nthree"] * 20)
    told = []
    label(job, told.append)
    assert told[2].share == pytest.approx(36 / 61)


def test_the_share_of_a_file_that_is_not_made_of_lines_is_unknown(job, tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / "2024-05-01.md").write_text("joy")
    told = []
    label(again(job, inputs=(folder,)), told.append)
    assert (told[0].share, told[0].remaining) == (None, None)


def test_rows_of_an_earlier_run_do_not_count_as_speed():
    progress = Progress(stage="reading", items=100, items_resumed=90, seconds=2.0, share=0.5)
    assert (progress.rate, progress.remaining) == (5.0, 20.0)


def test_a_damaged_account_is_told(job):
    label(job)
    account_path(job.output).write_text("{}")
    with pytest.raises(BadInput, match=r"is not an account: .*\nLabel it again with --overwrite"):
        compersion_nlp.batch.account.read_account(job.output)


def test_a_bundle_that_its_store_does_not_vouch_for_is_refused(job, plain_bundle):
    manifest = add_bundle(plain_bundle) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"licence": ""', '"licence": "changed"'))
    verify_bundle(manifest.parent)  # sound in itself
    with pytest.raises(BadBundle, match=r"its store's index\.json says"):
        label(again(job, model="plain"))
