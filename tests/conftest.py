"""What all tests share: no network, a store of their own, a bundle that costs nothing and a tagger that reads it."""

import json
import socket

import pytest

from compersion_nlp.bundle import Manifest, write_bundle
from compersion_nlp.decision import LabelDecision
from compersion_nlp.engines import Serial
from compersion_nlp.readings import Readings
from compersion_nlp.records import Finding, Reading, Span

LABELS = ("compersion", "joy")
EVEN = LabelDecision(slope=1.0, intercept=0.0, threshold=0.5, positives=100, provisional=False)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Fails a test that connects to anything but a socket of this machine's file system."""
    connect = socket.socket.connect

    def refuse(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise AssertionError("a test opened a network connection")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(autouse=True)
def own_store(monkeypatch, tmp_path_factory):
    """Keeps tests away from the user's own bundles; returns the empty store that they have instead."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setattr("compersion_nlp.bundle.store.user_data_path", lambda name: folder)
    monkeypatch.delenv("COMPERSION_MODELS", raising=False)
    return folder / "models"


class NoScorer:
    """A scorer that is saved and never loaded."""

    labels = LABELS

    def save(self, folder):
        (folder / "nothing.json").write_text("{}")


class WordTagger:
    """Reads joy in a text that names it, and fails on one that holds the word poison."""

    model = "plain@1"

    def tabulate(self, texts, explain=True):
        if any("poison" in text for text in texts):
            raise ValueError("the batch is too bitter to score")
        return Readings.of([self.tag(text, explain) for text in texts])

    def tag(self, text, explain):
        joy = Finding("joy", 0.9, "felt", (Span(0, len(text)),)) if "joy" in text else Finding("joy", 0.1)
        return Reading(text, (Finding("compersion", round(len(text) / 2**20, 6)), joy), self.model, explain)


@pytest.fixture
def plain_bundle(tmp_path_factory):
    """Returns the folder of a sound bundle whose scorer is never loaded."""
    folder = tmp_path_factory.mktemp("models") / "plain"
    decision = dict.fromkeys(LABELS, EVEN)
    write_bundle(folder, Manifest("plain", "1", "linear", LABELS, decision), NoScorer())
    return folder


@pytest.fixture
def word_tagger(monkeypatch):
    """Makes jobs of this process read with a tagger that needs no model; returns it."""
    tagger = WordTagger()
    monkeypatch.setattr("compersion_nlp.batch.reader._tagger", lambda folder, digest: tagger)
    monkeypatch.setattr("compersion_nlp.batch.run.OTHER_PROCESS", Serial)  # another process would not have the tagger
    return tagger


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes rows, or lines as they are, as a corpus file of its own folder."""

    def write(*rows, name="train.jsonl", folder="made"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write
