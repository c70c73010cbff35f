"""What a bundle answers on a corpus, beside what the corpus says."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Manifest
from compersion_nlp.corpus import Corpus, gold
from compersion_nlp.errors import BadInput
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Annotation
from compersion_nlp.tagger import Tagger

NO_STANCE = -1


class Predictions(msgspec.Struct, frozen=True, eq=False):
    """Answers and gold for ``n`` passages and ``L`` labels, columns in the order of ``labels``.

    ``gold`` is 1, 0 or nan where the corpus does not annotate the label; ``stances`` holds the place of the
    gold stance in the scheme's order, or -1. ``unread`` are labels that the corpus has and the model does not
    read, ``unannotated`` the other way round. ``seen_as`` is the use that training made of this corpus.
    """

    model: str
    corpus: str
    sha256: str
    labels: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    decided: npt.NDArray[np.bool_]
    gold: npt.NDArray[np.float32]
    stances: npt.NDArray[np.int8]
    annotations: tuple[Annotation, ...]
    unread: tuple[str, ...] = ()
    unannotated: tuple[str, ...] = ()
    provisional: tuple[str, ...] = ()
    seen_as: str | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """The passages' groups."""
        return tuple(annotation.group for annotation in self.annotations)


def predict(tagger: Tagger, corpus: Corpus) -> Predictions:
    """Returns the tagger's answers on a corpus; raises BadInput if they have no label in common."""
    probabilities = tagger.probabilities(corpus.texts)
    manifest = tagger.bundle.manifest
    return make_predictions(
        tagger.model,
        corpus,
        tagger.labels,
        probabilities,
        tagger.decide(probabilities),
        provisional=tuple(label for label in tagger.labels if manifest.decision[label].provisional),
        seen_as=seen_in_training(manifest, corpus),
    )


def make_predictions(
    model: str,
    corpus: Corpus,
    labels: Sequence[str],
    probabilities: npt.NDArray[np.float64],
    decided: npt.NDArray[np.bool_],
    provisional: tuple[str, ...] = (),
    seen_as: str | None = None,
) -> Predictions:
    """Returns answers of shape (n, L) beside the corpus's gold; raises BadInput if no label is known to both."""
    if not set(labels) & set(corpus.labels):
        raise BadInput(
            f"{model} and the corpus {corpus.name} have no label in common.",
            f"{model} reads {', '.join(labels)}; the corpus annotates {', '.join(corpus.labels)}.",
        )
    return Predictions(
        model=model,
        corpus=corpus.name,
        sha256=corpus.sha256,
        labels=tuple(labels),
        probabilities=probabilities,
        decided=decided,
        gold=gold(corpus.annotations, labels, corpus.labels),
        stances=stance_places(corpus.annotations, labels),
        annotations=corpus.annotations,
        unread=tuple(label for label in corpus.labels if label not in labels),
        unannotated=tuple(label for label in labels if label not in corpus.labels),
        provisional=provisional,
        seen_as=seen_as,
    )


def stance_places(annotations: Sequence[Annotation], labels: Sequence[str]) -> npt.NDArray[np.int8]:
    """Returns the gold stances, of shape (n, L), as places in the scheme's order; -1 for a label not mentioned."""
    place = {stance: rank for rank, stance in enumerate(SCHEME.stance_names)}
    rows = [
        [place.get(annotation.feelings.get(label, ""), NO_STANCE) for label in labels] for annotation in annotations
    ]
    return np.array(rows, dtype=np.int8).reshape(len(annotations), len(labels))


def seen_in_training(manifest: Manifest, corpus: Corpus) -> str | None:
    """Returns the use, ``train`` or ``dev``, that the bundle's training made of this very file, or None."""
    return next((use.use for use in manifest.corpora.values() if use.sha256 == corpus.sha256), None)
