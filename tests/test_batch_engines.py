"""One job, several engines, a real bundle: the same bytes."""

import csv

import numpy as np
import pytest

from compersion_nlp.batch import Job, label, rejected_path
from compersion_nlp.bundle import Manifest, write_bundle
from compersion_nlp.decision import LabelDecision
from compersion_nlp.errors import BadBundle
from compersion_nlp.scorers.linear import Features, LinearScorer, TfIdf

LABELS = ("compersion", "jealousy", "joy")
TEXTS = (
    "I was so happy for them.",
    "I'm jealous, and I know it. He is happy.",
    "😀👨‍👩‍👧 happy\x00happy",
    "word " * 300,
    "I used to be jealous. Not any more!",
    "x" * 2_000,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    features = Features((1, 1), (1, 2), True, words=("happy", "jealous"), chars=(" h", "ea"))
    weights = np.array([[2, -2, 1], [-1, 3, -1], [0.3, 0, 0.1], [0, 0.2, -0.4]], np.float32)
    scorer = LinearScorer(LABELS, TfIdf(features, np.ones(4, np.float32)), weights, np.full(3, -1, np.float32))
    decision = dict.fromkeys(LABELS, LabelDecision(1.0, 0.0, 0.5, 100, False))
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_bundle(folder, Manifest("tiny", "1", "linear", LABELS, decision), scorer)
    return folder


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    path = tmp_path_factory.mktemp("posts") / "posts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["n", "text"])
        for n in range(40):
            rows.writerow([n, TEXTS[n % len(TEXTS)] + f" {n}"] if n % 7 else [n])
    return path


def run(bundle, posts, folder, **changes):
    job = Job(inputs=(posts,), output=folder / "out.jsonl", model=bundle, chunk_size=3, **changes)
    account = label(job)
    return (job.output.read_bytes(), rejected_path(job.output).read_bytes()), account


@pytest.fixture(scope="module")
def serial(bundle, posts, tmp_path_factory):
    return run(bundle, posts, tmp_path_factory.mktemp("serial"))


def test_the_serial_engine_labels_every_row(serial):
    files, account = serial
    assert (account.read, account.labelled, account.rejected) == (40, 34, 6)
    assert b'"felt":["jealousy"' in files[0]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_same_bytes(bundle, posts, serial, tmp_path, workers):
    files, account = run(bundle, posts, tmp_path, engine="joblib", workers=workers)
    assert files == serial[0]
    assert (account.labelled, account.reasons) == (serial[1].labelled, serial[1].reasons)


def test_a_bundle_that_is_replaced_while_the_job_runs_is_not_mixed_in(bundle):
    from compersion_nlp.batch.reader import Chunk, ChunkReader
    from compersion_nlp.records import Passage

    with pytest.raises(BadBundle, match=r"was replaced while the job ran.\nStart the job anew"):
        ChunkReader(str(bundle), "0" * 64, explain=True)(Chunk(1, (Passage("text"),)))
