"""What ends the process that reads it is found and set aside, whatever the engine; everything else is labelled.

The processes end for real: the bundle's scorer kills its own. It is a plugin, which workers find as its user's would be
found, on the path.
"""

import csv
import json
import multiprocessing
import os
import signal

import msgspec
import pytest

from compersion_nlp import engines
from compersion_nlp.batch import Job, label, rejected_path
from compersion_nlp.batch.apart import CRASHED, read_apart
from compersion_nlp.batch.reader import PLAIN, Chunk, ChunkReader, Part, read_part
from compersion_nlp.bundle import Manifest, write_bundle
from compersion_nlp.decision import LabelDecision
from compersion_nlp.engines import Crash, Joblib, WorkerDied
from compersion_nlp.errors import CompersionError
from compersion_nlp.records import Passage, Rejected

LABELS = ("compersion", "joy")
SCORER = '''
"""A scorer that kills the process that it is in at a word, which is poison unless the environment names another."""

import os
import signal
import time

import numpy as np


class Deadly:
    labels = ("compersion", "joy")

    def score(self, texts):
        time.sleep(float(os.environ.get("DEADLY_SECONDS", 0)))
        if any(os.environ.get("DEADLY_WORD", "poison") in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return np.array([[len(text) / 50 - 1, 2 * text.count("joy") - 1] for text in texts], np.float32).reshape(-1, 2)

    def save(self, folder):
        (folder / "nothing.json").write_text("{}")


def load(folder, labels):
    return Deadly()
'''


# Reading a chunk apart, with an engine of this process


class Pretending:
    """An engine whose worker dies of a text with a word in it; counts what it was given."""

    def __init__(self, word="deadly"):
        self.word, self.given = word, []

    def map(self, function, items):
        for item in items:
            self.given.append(len(item.items))
            yield Crash() if any(self.word in one.text for one in item.items) else function(item)


def read(texts, engine, number=3):
    items = tuple(
        Passage(text, 100 + n) if text is not None else Rejected(100 + n, "no text", "") for n, text in enumerate(texts)
    )
    part = read_apart(engine, ChunkReader("", "", False), Chunk(number, items, {"likes": ["int"]}))
    assert isinstance(part, Part)
    return part.entry, read_part(part.data)


@pytest.mark.usefixtures("word_tagger")
@pytest.mark.parametrize("deadly", [[0], [7], [3, 4], [0, 2, 5, 7], list(range(8))], ids=str)
def test_only_what_ends_a_worker_is_rejected(deadly):
    texts = [f"deadly {n}" if n in deadly else f"joy {n}" for n in range(8)]
    entry, stored = read(texts, Pretending())
    assert stored.rejected == dict.fromkeys(deadly, CRASHED)
    assert (entry.labelled, entry.rejected) == (8 - len(deadly), len(deadly))
    assert entry.complaint == f"row {100 + deadly[0]}: {CRASHED}"
    assert (entry.chunk, entry.first, entry.last, entry.columns) == (3, 100, 107, {"likes": ["int"]})


@pytest.mark.usefixtures("word_tagger")
def test_the_part_is_the_one_that_a_worker_would_have_made_but_for_what_ended_it():
    texts = ["joy", None, "a longer one", "poison", None, "deadly", "joy joy"]
    _, stored = read(texts, Pretending())
    failed = "the model failed: ValueError: the batch is too bitter to score"
    assert stored.rejected == {1: "no text", 3: failed, 4: "no text", 5: CRASHED}
    expected = read(["joy", None, "a longer one", "poison", None, "poison", "joy joy"], Pretending())[1]
    assert stored.readings == expected.readings
    readings = stored.readings.unpack()
    assert [row["felt"] for row in readings.rows()] == [["joy"], [], ["joy"]]
    assert len(set(readings.probabilities[:, 0])) == 3  # by the lengths of the texts


@pytest.mark.usefixtures("word_tagger")
def test_a_chunk_that_ends_no_worker_after_all_is_read_at_once():
    engine = Pretending()
    entry, _ = read(["joy"] * 8, engine)
    assert (entry.labelled, engine.given) == (8, [8])


@pytest.mark.usefixtures("word_tagger")
def test_one_deadly_passage_of_many_costs_few_workers():
    engine = Pretending()
    read(["joy"] * 200 + ["deadly"] + ["joy"] * 55, engine)
    assert len(engine.given) <= 2 * 8 + 2  # a half and a half, eight times; the whole, and a plain sentence


@pytest.mark.usefixtures("word_tagger")
def test_workers_that_end_on_a_plain_sentence_too_are_an_error():
    with pytest.raises(WorkerDied, match=r"end whatever they read.*\nTry fewer workers, or another model"):
        read(["joy", f"{PLAIN} joy"], Pretending(word=PLAIN))


# Jobs whose processes end


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of an installed package with the deadly scorer."""
    folder = tmp_path_factory.mktemp("installed")
    info = folder / "deadly_scorer-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly_scorer\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[compersion_nlp.scorers]\ndeadly = deadly_scorer:load\n")
    (folder / "deadly_scorer.py").write_text(SCORER)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


@pytest.fixture(scope="module")
def model(installed):
    from deadly_scorer import Deadly

    decision = dict.fromkeys(LABELS, LabelDecision(1.0, 0.0, 0.5, 100, False))
    write_bundle(installed / "model", Manifest("deadly", "1", "deadly", LABELS, decision), Deadly())
    return installed / "model"


@pytest.fixture(scope="module")
def make_job(model, tmp_path_factory):
    """Returns a function that makes a job of 40 passages with ``poison`` at some places, and one row without a text."""

    def make(poisoned=(), **changes):
        folder = tmp_path_factory.mktemp("job")
        posts = folder / "posts.csv"
        with posts.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["n", "text"])
            rows.writerows([n, f"{'poison' if n in poisoned else 'joy' * (n % 2)} {n}"] for n in range(40))
            rows.writerow(["lonely"])
        changes = {"explain": False, "chunk_size": 8} | changes
        return Job(inputs=(posts,), output=folder / "out.jsonl", model=model, **changes)

    return make


@pytest.fixture(scope="module")
def by_workers(make_job):
    """Jobs with one deadly passage, and their accounts, by the number of workers."""
    jobs = {workers: make_job([19], engine="joblib", workers=workers) for workers in (1, 2, 4)}
    return {workers: (job, label(job)) for workers, job in jobs.items()}


def written(job):
    """Returns what a job wrote: the output, the rejected rows."""
    return job.output.read_bytes(), rejected_path(job.output).read_bytes()


def rejected(job):
    rows = [json.loads(line) for line in rejected_path(job.output).read_text().splitlines()]
    return {row["number"]: row["reason"] for row in rows if "lonely" not in row["raw"]}


def labelled(job):
    return [int(json.loads(line)["n"]) for line in job.output.read_text().splitlines()]


def in_own_process(job):
    """Labels in a process of its own; returns what it exited with, less than zero if a signal ended it."""
    process = multiprocessing.get_context("fork").Process(target=label, args=(job,))
    process.start()
    process.join(60)
    return process.exitcode


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_one_passage_that_kills_its_worker_is_rejected_alone_with_any_number_of_workers(by_workers, workers):
    job, account = by_workers[workers]
    assert (account.read, account.labelled, account.rejected) == (41, 39, 2)
    assert rejected(job) == {20: CRASHED}
    assert labelled(job) == [n for n in range(40) if n != 19]
    assert written(job) == written(by_workers[1][0])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_job_in_one_process_that_dies_of_a_passage_is_resumed_to_what_workers_write(make_job, by_workers):
    job = make_job([19])
    assert in_own_process(job) == -signal.SIGKILL
    assert not job.output.exists()
    account = label(msgspec.structs.replace(job, resume=True))  # in this very process, which has to live
    assert account.chunks_resumed == 2
    assert rejected(job) == {20: CRASHED}
    assert written(job) == written(by_workers[2][0])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_job_that_dies_of_one_passage_after_another_takes_one_resumption_for_each(make_job):
    job = make_job([5, 33], chunk_size=1)
    resume = msgspec.structs.replace(job, resume=True)
    assert in_own_process(job) == -signal.SIGKILL
    assert in_own_process(resume) == -signal.SIGKILL
    assert label(resume).labelled == 38
    assert rejected(job) == {6: CRASHED, 34: CRASHED}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_passage_that_a_process_died_of_only_once_is_labelled(make_job, monkeypatch):
    job = make_job()
    with monkeypatch.context() as once:
        once.setenv("DEADLY_WORD", " 19")
        assert in_own_process(job) == -signal.SIGKILL
    assert label(msgspec.structs.replace(job, resume=True)).labelled == 40
    assert rejected(job) == {}


def test_a_worker_that_is_killed_from_outside_costs_no_passage(make_job, monkeypatch):
    undisturbed = make_job()
    label(undisturbed)
    monkeypatch.setenv("DEADLY_SECONDS", "0.02")
    again, tried = engines._Pool._try_again, []
    monkeypatch.setattr(engines._Pool, "_try_again", lambda pool: (tried.append(len(pool)), again(pool))[1])

    def kill_one(progress):
        if progress.chunks == 2:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    job = make_job(engine="joblib", workers=2, chunk_size=2)
    account = label(job, kill_one)
    assert tried  # it was in the midst of something
    assert (account.labelled, rejected(job)) == (40, {})
    assert written(job) == written(undisturbed)


def test_a_model_that_kills_every_worker_is_an_error_and_the_job_can_be_resumed(make_job, monkeypatch):
    job = make_job(engine="joblib", chunk_size=1)
    with monkeypatch.context() as always:
        always.setenv("DEADLY_WORD", "")  # it is in every text
        with pytest.raises(CompersionError, match=r"end whatever they read: [\s\S]* go on with --resume"):
            label(job)
    assert not job.output.exists()
    assert label(msgspec.structs.replace(job, resume=True)).labelled == 40


# The engine itself


class Faltering:
    """Ends its process at a number, every time or only the first."""

    def __init__(self, number, seen=None):
        self.number, self.seen = number, seen

    def __call__(self, number):
        if number == self.number and not (self.seen and self.seen.exists()):
            if self.seen:
                self.seen.touch()
            os._exit(1)
        return 2 * number


@pytest.mark.parametrize("place", [0, 3], ids=["first", "last"])
def test_a_crash_stands_in_the_place_of_what_ends_its_process_again(place):
    found = list(Joblib(2).map(Faltering(place), range(4)))
    assert found == [Crash() if number == place else 2 * number for number in range(4)]


def test_what_ended_its_process_once_and_not_again_has_a_result(tmp_path):
    falter = Faltering(1, tmp_path / "seen")
    assert list(Joblib(2).map(falter, range(4))) == [0, 2, 4, 6]
    assert falter.seen.exists()
