"""Jobs that are killed for real, with SIGKILL, anywhere: what is resumed ends as if nothing had been.

A child is forked from this process, which has everything imported, and kills itself at the n-th
thing that it does to the disk or with the model. The number of such things is counted first.
"""

import os
import signal
import sys
import time

import msgspec
import pytest

from compersion_nlp.batch import Job, account_path, label, read_account, rejected_path
from compersion_nlp.batch.ledger import WorkFolder
from compersion_nlp.sources import ReadOptions

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL and fork are POSIX"),
    pytest.mark.usefixtures("word_tagger"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
POINTS = 20
TOUCHING = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}
COUNTS = ("read", "labelled", "rejected", "reasons", "duplicate_ids", "chunks")


@pytest.fixture
def job(tmp_path, plain_bundle):
    folder = tmp_path / "work"
    folder.mkdir()
    texts = ["poison" if n % 17 == 5 else f"joy {n}" for n in range(60)]
    posts = folder / "posts.csv"
    posts.write_text("id,text\n" + "".join(f"{n % 50},{text}\n" for n, text in enumerate(texts)) + "broken\n")
    return Job(
        inputs=(posts,), output=folder / "out.csv", model=plain_bundle, read=ReadOptions(id_column="id"), chunk_size=8
    )


class Countdown:
    """Counts what a process does under a folder, and kills the process at the n-th."""

    def __init__(self, folder, stop_at):
        self.folder, self.stop_at, self.count = str(folder), stop_at, 0

    def tick(self):
        self.count += 1
        if self.count == self.stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event, args):
        if event in TOUCHING and any(self.folder in str(arg) for arg in args):
            self.tick()

    def install(self, tagger):
        """Listens from here on, for good: only a child may call it."""
        sys.addaudithook(self.hear)
        fsync, tabulate = os.fsync, tagger.tabulate
        os.fsync = lambda descriptor: (fsync(descriptor), self.tick())
        tagger.tabulate = lambda *args, **named: (self.tick(), tabulate(*args, **named))[1]


def in_child(work):
    """Runs ``work`` in a forked child; returns the status it ended with, and what ``work`` returned as an int."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(writing, str(work() or 0).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        returned = pipe.read()
    return os.waitpid(child, 0)[1], int(returned or 0)


def run_until(job, tagger, stop_at):
    """Labels in a child that is killed at the n-th thing it does; returns its status and how many it did."""

    def work():
        countdown = Countdown(job.output.parent, stop_at)
        countdown.install(tagger)
        label(job)
        return countdown.count

    return in_child(work)


def result(job):
    """Returns what a job left: the bytes of its files, the counts of its account, the names of all files."""
    account = msgspec.structs.asdict(read_account(job.output))
    names = sorted(path.name for path in job.output.parent.iterdir())
    files = (job.output.read_bytes(), rejected_path(job.output).read_bytes())
    return files, {key: account[key] for key in COUNTS}, names


def clean(job):
    for path in (job.output, rejected_path(job.output), account_path(job.output)):
        path.unlink(missing_ok=True)


def killed(status):
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def resume(job):
    return msgspec.structs.replace(job, resume=True)


@pytest.fixture
def undisturbed(job, word_tagger):
    """Returns what an undisturbed run leaves, and how many things it does."""
    status, done = run_until(job, word_tagger, stop_at=None)
    assert status == 0
    found = result(job)
    clean(job)
    assert found[1]["rejected"] == 5
    assert found[1]["duplicate_ids"] > 0
    return found, done


def test_a_job_killed_at_any_of_twenty_points_is_resumed_to_the_same_bytes(job, word_tagger, undisturbed):
    expected, done = undisturbed
    stages = set()
    for point in range(POINTS):
        stop_at = 1 + point * (done - 1) // (POINTS - 1)
        assert killed(run_until(job, word_tagger, stop_at)[0]), f"not killed at {stop_at} of {done}"
        stages.add((WorkFolder(job.output).unfinished, job.output.exists()))
        label(resume(job))
        assert result(job) == expected, f"killed at {stop_at} of {done}"
        clean(job)
    # Before there was a job, in the midst of it, with the output in place, and after the end.
    assert stages == {(False, False), (True, False), (True, True), (False, True)}


def test_a_job_killed_again_and_again_as_it_is_resumed_comes_to_its_end(job, word_tagger, undisturbed):
    expected, _ = undisturbed
    kills = 0
    while killed(run_until(resume(job), word_tagger, stop_at=15 + 2 * kills)[0]):
        kills += 1
        assert kills < 100
    assert kills > 3
    label(resume(job))
    assert result(job) == expected


@pytest.mark.parametrize("after", [0.05, 0.15, 0.25])
def test_a_job_killed_from_outside_is_resumed_to_the_same_bytes(job, word_tagger, undisturbed, after):
    expected, _ = undisturbed
    child = os.fork()
    if child == 0:
        tabulate = word_tagger.tabulate
        word_tagger.tabulate = lambda *args, **named: (time.sleep(0.01), tabulate(*args, **named))[1]
        try:
            label(job)
        finally:
            os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    label(resume(job))
    assert result(job) == expected
