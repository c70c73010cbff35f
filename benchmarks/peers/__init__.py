"""Other ways to read feelings, each given the passages that ours learn from.

A peer is a function from a task to a scorer; what it scores is calibrated and cut into labels by the code that does
so for our own bundles. A peer's packages are imported by its own module only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.corpus import Corpus, gold, split_by_group
from compersion_nlp.decision import Decision, fit_decision
from compersion_nlp.evaluate import metrics

Floats = npt.NDArray[np.float64]
Score = Callable[[Sequence[str]], Floats]  # from n texts to logits of shape (n, L)
Read = Callable[[Sequence[str]], object]  # from n texts to whatever a library finds in them

# A label that a peer cannot read has this score everywhere, below any that it gives: it is never decided as felt.
UNREAD = -2.0

PEERS = {
    "nothing": "peers.lexicons:read_nothing",
    "lexicon-nrc": "peers.lexicons:read_nrc",
    "lexicon-empath": "peers.lexicons:read_empath",
    "lexicon-vader": "peers.lexicons:read_vader",
    "zero-shot-minilm": "peers.sentences:compare_minilm",
    "zero-shot-mpnet": "peers.sentences:compare_mpnet",
    "minilm-frozen": "peers.sentences:fit_minilm",
    "textcat": "peers.textcat:fit",
    "setfit": "peers.contrastive:fit",
}

# What is timed only, by the names in the table of speed.
LIBRARIES = {
    "transformers pipeline": "peers.libraries:make_classifier",
    "sentence-transformers": "peers.libraries:fit_sentences",
    "model2vec": "peers.libraries:fit_static",
    "scikit-learn": "peers.libraries:fit_ngrams",
    "spaCy textcat": "peers.textcat:fit",
    "spaCy sentencizer": "peers.libraries:part_sentences",
}


class Task(msgspec.Struct, frozen=True, eq=False):
    """What peers learn from (``train``) and choose on (``dev``); base weights lie in ``models_dir``, or on the hub.

    ``most_false_alarms`` is that of ``fit_decision``.
    """

    train: Corpus
    dev: Corpus
    models_dir: Path | None
    seed: int
    most_false_alarms: float | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the columns: those that the training corpus annotates."""
        return self.train.labels

    def gold(self, corpus: Corpus) -> npt.NDArray[np.float32]:
        """Returns marks of shape (n, L): 1, 0 or nan where the corpus does not annotate the label."""
        return gold(corpus.annotations, self.labels, corpus.labels)

    def base(self, name: str) -> str:
        """Returns where the base weights of this name are loaded from."""
        kept = self.models_dir and self.models_dir / name
        return str(kept) if kept and kept.is_dir() else f"sentence-transformers/{name}"


class Fitted(msgspec.Struct, frozen=True, eq=False):
    """A peer that is ready to read: its scorer, calibrated and with thresholds."""

    score: Score
    decision: Decision

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the columns."""
        return self.decision.labels

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Returns calibrated probabilities of shape (n, L)."""
        return self.decision.probabilities(self.score(texts))

    def decide(self, probabilities: Floats) -> npt.NDArray[np.bool_]:
        """Returns which labels are felt, of shape (n, L)."""
        return self.decision.decide(probabilities)


def sample(corpus: Corpus, passages: int | None, seed: int) -> Corpus:
    """Returns a corpus cut down to at most so many passages, groups whole."""
    if passages is None or passages >= len(corpus.annotations):
        return corpus
    _, kept = split_by_group(corpus.annotations, passages / len(corpus.annotations), seed)
    return msgspec.structs.replace(corpus, annotations=kept)


def find_peer(name: str) -> Callable[[Task], Score]:
    """Returns the function that makes a peer; raises ImportError where its packages are missing."""
    found: Callable[[Task], Score] = _find(PEERS[name])
    return found


def find_library(name: str) -> Callable[[Task], Read]:
    """Returns the function that makes a library ready to read; raises ImportError where the library is missing."""
    found: Callable[[Task], Read] = _find(LIBRARIES[name])
    return found


def _find(place: str) -> Any:
    module, function = place.split(":")
    return getattr(import_module(module), function)


def fit_peer(peer: Callable[[Task], Score], task: Task) -> Fitted:
    """Returns a peer fitted on ``train``, with the calibration and the thresholds that suit ``dev`` best."""
    score = peer(task)
    logits, marks = score(task.dev.texts), task.gold(task.dev)
    return Fitted(score, fit_decision(task.labels, logits, marks, task.most_false_alarms))


def to_logits(probabilities: Floats) -> Floats:
    """Returns the log odds of probabilities, none of them infinite."""
    inside = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(inside / (1 - inside))


def macro_average_precision(scores: Floats, marks: npt.NDArray[np.float32]) -> float:
    """Returns the mean over labels of average precision: what a peer's own settings are chosen by, on ``dev``."""
    columns = [metrics.average_precision(scores[:, column], marks[:, column]) for column in range(marks.shape[1])]
    return float(metrics.mean_defined(np.array(columns)))
