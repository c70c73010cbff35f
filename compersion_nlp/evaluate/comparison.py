"""Two bundles on one corpus, figure by figure over the same resamples of its groups."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.errors import BadInput
from compersion_nlp.evaluate import metrics
from compersion_nlp.evaluate.evaluation import Samples, sample_figures
from compersion_nlp.evaluate.metrics import Floats
from compersion_nlp.evaluate.predictions import Predictions
from compersion_nlp.evaluate.resampling import Interval, interval, share_above


class Difference(msgspec.Struct, frozen=True):
    """One figure of both, ``a - b``, and the share of resamples in which ``a`` is the better (a tie counts half)."""

    name: str
    a: float
    b: float
    difference: float
    interval: Interval | None
    a_better: float


class Comparison(msgspec.Struct, frozen=True):
    """Two models on one corpus, over the labels that both read and the corpus annotates."""

    a: str
    b: str
    corpus: str
    sha256: str
    passages: int
    groups: int
    totals: tuple[Difference, ...]
    labels: tuple[Difference, ...]
    left_out: tuple[str, ...]
    resamples: int
    seed: int


class _Figures(msgspec.Struct, frozen=True, eq=False):
    """A model's figures on the labels compared, and their resamples."""

    f1: Floats
    average_precision: Floats
    micro_f1: float
    samples: Samples


def compare(a: Predictions, b: Predictions, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Returns the differences with 95 % intervals from a paired bootstrap over groups.

    Raises BadInput if the two were not made on the same corpus, or share no label.
    """
    labels = _shared_labels(a, b)
    one, other = (_figures(_only(side, labels), resamples, seed) for side in (a, b))
    return Comparison(
        a=a.model,
        b=b.model,
        corpus=a.corpus,
        sha256=a.sha256,
        passages=len(a.annotations),
        groups=len(set(a.groups)),
        totals=tuple(_totals(one, other)),
        labels=tuple(
            _difference(label, one.f1[i], other.f1[i], one.samples.f1[:, i], other.samples.f1[:, i])
            for i, label in enumerate(labels)
        ),
        left_out=tuple(dict.fromkeys(label for label in (*a.labels, *b.labels) if label not in labels)),
        resamples=resamples,
        seed=seed,
    )


def _shared_labels(a: Predictions, b: Predictions) -> tuple[str, ...]:
    if a.sha256 != b.sha256 or a.annotations != b.annotations:
        raise BadInput(
            f"{a.model} was judged on {a.corpus} and {b.model} on {b.corpus}, which do not hold the same passages.",
            "Judge both on one corpus file.",
        )
    masked = {*a.unannotated, *b.unannotated}
    shared = tuple(label for label in a.labels if label in b.labels and label not in masked)
    if not shared:
        raise BadInput(
            f"{a.model} and {b.model} read no label in common that {a.corpus} annotates.",
            "There is nothing to compare.",
        )
    return shared


def _only(predictions: Predictions, labels: tuple[str, ...]) -> Predictions:
    columns = [predictions.labels.index(label) for label in labels]
    kept: dict[str, npt.NDArray[np.generic]] = {
        name: getattr(predictions, name)[:, columns] for name in ("probabilities", "decided", "gold", "stances")
    }
    return msgspec.structs.replace(predictions, labels=labels, **kept)


def _figures(predictions: Predictions, resamples: int, seed: int) -> _Figures:
    cells = metrics.count(predictions.decided, predictions.gold)
    totals = metrics.Counts(*(part.sum(axis=0) for part in cells))
    columns = range(len(predictions.labels))
    precision = [
        metrics.average_precision(predictions.probabilities[:, column], predictions.gold[:, column])
        for column in columns
    ]
    return _Figures(
        totals.f1, np.array(precision), float(totals.pooled().f1), sample_figures(predictions, resamples, seed)
    )


def _totals(one: _Figures, other: _Figures) -> Iterator[Difference]:
    a, b = one.samples, other.samples
    yield _difference("macro F1", _mean(one.f1), _mean(other.f1), a.macro_f1, b.macro_f1)
    yield _difference("micro F1", one.micro_f1, other.micro_f1, a.micro_f1, b.micro_f1)
    yield _difference(
        "macro average precision",
        _mean(one.average_precision),
        _mean(other.average_precision),
        a.macro_average_precision,
        b.macro_average_precision,
    )


def _mean(values: Floats) -> float:
    return float(metrics.mean_defined(values))


def _difference(name: str, a: float, b: float, samples_a: Floats, samples_b: Floats) -> Difference:
    gaps = samples_a - samples_b
    return Difference(name, float(a), float(b), float(a - b), interval(gaps), share_above(gaps))
