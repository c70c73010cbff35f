"""A job of forty rows with a real bundle, which every engine can be given."""

import csv

import numpy as np

from compersion_nlp.batch import Job, label, rejected_path
from compersion_nlp.bundle import Manifest, write_bundle
from compersion_nlp.decision import LabelDecision
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


def write_tiny_bundle(folder):
    """Writes a bundle that knows two words and two pairs of letters; returns its folder."""
    features = Features((1, 1), (1, 2), True, words=("happy", "jealous"), chars=(" h", "ea"))
    weights = np.array([[2, -2, 1], [-1, 3, -1], [0.3, 0, 0.1], [0, 0.2, -0.4]], np.float32)
    scorer = LinearScorer(LABELS, TfIdf(features, np.ones(4, np.float32)), weights, np.full(3, -1, np.float32))
    decision = dict.fromkeys(LABELS, LabelDecision(1.0, 0.0, 0.5, 100, False))
    write_bundle(folder, Manifest("tiny", "1", "linear", LABELS, decision), scorer)
    return folder


def write_tiny_posts(path):
    """Writes forty rows, some of them broken; returns the path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["n", "text"])
        for n in range(40):
            rows.writerow([n, TEXTS[n % len(TEXTS)] + f" {n}"] if n % 7 else [n])
    return path


def run(bundle, posts, folder, progress=None, **changes):
    """Labels the posts; returns the bytes of the output and of the rejected rows, and the account."""
    job = Job(inputs=(posts,), output=folder / "out.jsonl", model=bundle, chunk_size=3, **changes)
    account = label(job, progress)
    return (job.output.read_bytes(), rejected_path(job.output).read_bytes()), account
