"""A user's own scikit-learn pipeline as a scorer.

It comes in once, from a joblib file that the user trusts, and is kept from then on as a skops file, which holds data
and names of types, and is opened only if ``audit`` knows each of them to be harmless.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import CorpusUse, Manifest, add_bundle, write_bundle
from compersion_nlp.corpus import Corpus, gold
from compersion_nlp.decision import Decision, fit_decision
from compersion_nlp.errors import BadBundle, BadConfig, MissingExtra
from compersion_nlp.labels import SCHEME
from compersion_nlp.scorers.protocol import PROBES, Scores, check_scorer

try:
    import skops.io

    from compersion_nlp.scorers.audit import HARMLESS, forged_vectorizer, unknown_types
except ImportError as error:
    raise MissingExtra("skops", "pipelines", "A scikit-learn pipeline") from error

PIPELINE = "pipeline.skops"

_LARGEST_LOGIT = 20.0  # a probability of two in a thousand million, or of all but that


class PipelineScorer:
    """Scores texts with a fitted pipeline, which is given as the content of a skops file."""

    def __init__(self, labels: tuple[str, ...], content: bytes) -> None:
        self._labels = labels
        self._content = content
        self._pipeline = _open(content)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self._labels

    def score(self, texts: Sequence[str]) -> Scores:
        """Returns logits, float32 of shape (n, L): the log-odds of its probabilities, or its decision function."""
        if not texts:
            return np.zeros((0, len(self._labels)), dtype=np.float32)
        # A hashing vectorizer encodes its words, and a lone surrogate has no encoding.
        encodable = [text.encode(errors="replace").decode() for text in texts]
        return _logits(self._pipeline, encodable, len(self._labels))

    def save(self, folder: Path) -> None:
        """Writes the skops file."""
        (folder / PIPELINE).write_bytes(self._content)


def load(folder: Path, labels: tuple[str, ...]) -> PipelineScorer:
    """Reads the pipeline of a bundle; raises BadBundle if it holds a type that is not known to be harmless."""
    return PipelineScorer(labels, (folder / PIPELINE).read_bytes())


def read_pipeline(path: Path, trust_pickle: bool = False, labels: Sequence[str] | None = None) -> PipelineScorer:
    """Returns the scorer for a fitted pipeline that was saved with ``joblib.dump``.

    Trusting means: **opening the file runs whatever program is in it**, with all your rights, before anything can be
    checked. Trust a file only if you made it, or would run a program from whoever did. Nothing else in this package
    unpickles.

    The pipeline takes a list of strings and has ``predict_proba`` or ``decision_function``, a column a label. The
    ``labels`` are by default its ``classes_``, where these are labels of the scheme. Raises BadConfig if the file is
    not trusted, or its pipeline is of no use here or can't be kept without pickle.
    """
    if not trust_pickle:
        raise BadConfig(
            f"{path} is a pickle, and opening a pickle runs whatever program is in it.",
            "If you made the file, or trust whoever did, say so with --trust-pickle.",
        )
    try:
        pipeline = joblib.load(path)
    except Exception as error:  # a pickle can raise anything
        raise BadConfig(
            f"{path} could not be loaded: {type(error).__name__}: {error}", "Is it a joblib file?"
        ) from error
    names = _label_names(pipeline, labels, path)
    _check_output(pipeline, names, path)
    scorer = PipelineScorer(names, _without_pickle(pipeline, path))
    check_scorer(scorer)
    return scorer


def add_pipeline(
    scorer: PipelineScorer,
    name: str,
    version: str = "1",
    dev: Corpus | None = None,
    store: Path | None = None,
) -> Path:
    """Keeps a pipeline as a bundle in a store, the user's by default, and returns the bundle's folder.

    Calibration and thresholds are fitted on ``dev``, which the bundle remembers. Without it, each label is felt from a
    probability of 0.5 on, uncalibrated, and is marked provisional.
    """
    decision = _decide_on(dev, scorer) if dev else Decision.identity(scorer.labels)
    corpora = {dev.name: CorpusUse(dev.sha256, len(dev.annotations), "dev")} if dev else {}
    manifest = Manifest(
        name=name,
        version=version,
        description="A scikit-learn pipeline",
        scorer="pipeline",
        labels=scorer.labels,
        decision=decision.by_label,
        corpora=corpora,
        libraries={package: installed(package) for package in ("scikit-learn", "skops")},
    )
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(Path(folder) / name, manifest, scorer)
        return add_bundle(Path(folder) / name, name, store)


def _decide_on(dev: Corpus, scorer: PipelineScorer) -> Decision:
    return fit_decision(scorer.labels, scorer.score(dev.texts), gold(dev.annotations, scorer.labels, dev.labels))


def _open(content: bytes) -> Any:
    try:
        unknown = unknown_types(content)
        pipeline = None if unknown else skops.io.loads(content, trusted=sorted(HARMLESS))
        forgery = forged_vectorizer(pipeline)
    except Exception as error:  # skops raises whatever zipfile, json and numpy do
        raise BadBundle(f"{PIPELINE} is no pipeline that skops wrote: {error}", "Add the pipeline again.") from error
    if unknown:
        raise BadBundle(
            f"{PIPELINE} holds the type {unknown[0]}, which is not known to be harmless.",
            "It was not opened. Use a pipeline of scikit-learn's own linear parts.",
        )
    if forgery:
        raise BadBundle(
            f"{PIPELINE} has a vectorizer that {forgery}.",
            "The file is damaged or forged: get it from whoever fitted the pipeline, and add it again.",
        )
    return pipeline


def _without_pickle(pipeline: Any, path: Path) -> bytes:
    try:
        content: bytes = skops.io.dumps(pipeline)
        unknown = unknown_types(content)
    except Exception as error:  # a type that skops cannot write fails in its own way
        raise BadConfig(f"{path} cannot be kept without pickle: {error}", _PLAIN_PARTS) from error
    if unknown:
        raise BadConfig(f"{path} cannot be kept without pickle: it holds {', '.join(unknown)}.", _PLAIN_PARTS)
    return content


def _label_names(pipeline: Any, labels: Sequence[str] | None, path: Path) -> tuple[str, ...]:
    if labels is None:
        classes = [str(name) for name in getattr(pipeline, "classes_", ())]
        if not classes or any(name not in SCHEME.labels for name in classes):
            found = ", ".join(classes) or "not given"
            raise BadConfig(
                f"{path} does not say which labels its columns are; its classes are {found}.",
                "Pass labels: one name of the scheme a column, in the pipeline's order.",
            )
        labels = classes
    return tuple(SCHEME.check_label(label) for label in labels)


def _check_output(pipeline: Any, labels: tuple[str, ...], path: Path) -> None:
    if not (hasattr(pipeline, "predict_proba") or hasattr(pipeline, "decision_function")):
        raise BadConfig(
            f"{path} holds {type(pipeline).__name__}, which has neither predict_proba nor decision_function.",
            "Save a fitted classifier, or a pipeline that ends in one.",
        )
    try:
        shape = _logits(pipeline, list(PROBES), len(labels)).shape
    except Exception as error:  # the pipeline is a stranger's
        raise BadConfig(
            f"{path} failed on a list of strings: {type(error).__name__}: {error}",
            "The pipeline must be fitted, and begin with a vectorizer.",
        ) from error
    if shape != (len(PROBES), len(labels)):
        raise BadConfig(
            f"{path} gave {shape[1]} columns for {len(labels)} labels: {', '.join(labels)}.",
            "Pass labels: one name of the scheme a column, in the pipeline's order.",
        )


def _logits(pipeline: Any, texts: list[str], count: int) -> Scores:
    if hasattr(pipeline, "predict_proba"):
        probabilities = _probabilities(pipeline.predict_proba(texts), getattr(pipeline, "classes_", None), count)
        with np.errstate(divide="ignore"):
            logits = np.log(probabilities) - np.log1p(-probabilities)
    else:
        logits = np.asarray(pipeline.decision_function(texts), dtype=np.float64).reshape(len(texts), -1)
    scores: Scores = np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT).astype(np.float32)
    return scores


def _probabilities(found: Any, classes: Any, count: int) -> npt.NDArray[np.float64]:
    """Returns the probability of each label, from an array with a column a label or one array of two a label."""
    if isinstance(found, list):
        return np.stack([_yes(np.asarray(part), of) for part, of in zip(found, classes, strict=True)], axis=1)
    found = np.asarray(found)
    return _yes(found, classes).reshape(-1, 1) if count == 1 else found.astype(np.float64)


def _yes(found: npt.NDArray[Any], classes: Any) -> npt.NDArray[np.float64]:
    """Returns the column of "yes" from the columns of "no" and "yes", one of which may never have been seen."""
    if found.shape[1] == 1 and classes is not None and not classes[0]:
        return np.zeros(len(found))
    return found[:, -1].astype(np.float64)


_PLAIN_PARTS = (
    "Functions, lambdas and your own classes cannot be kept, because to load them is to run them. Use scikit-learn's "
    "own vectorizers and linear classifiers, with options that are strings and numbers."
)
