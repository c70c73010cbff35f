"""One bundle on one corpus: a row a label, micro and macro rows, slices, and what stances do."""

from __future__ import annotations

import msgspec
import numpy as np

from compersion_nlp.errors import UnknownLabel
from compersion_nlp.evaluate import metrics
from compersion_nlp.evaluate.contrasts import Contrasts, find_contrasts
from compersion_nlp.evaluate.metrics import Counts, Floats, Gold
from compersion_nlp.evaluate.predictions import Predictions
from compersion_nlp.evaluate.resampling import Grouping, Interval, interval, weigh
from compersion_nlp.evaluate.slices import SliceRow, StanceRow, slice_rows, stance_rows
from compersion_nlp.labels import SCHEME

NAN = float("nan")


class Row(msgspec.Struct, frozen=True):
    """The figures of one label, or of all. ``support`` counts the gold, ``decided`` the answers."""

    name: str
    support: int
    decided: int
    precision: float
    recall: float
    f1: float
    average_precision: float
    brier: float
    calibration_error: float
    f1_interval: Interval | None = None
    average_precision_interval: Interval | None = None
    provisional: bool = False


class Evaluation(msgspec.Struct, frozen=True):
    """What was measured, on what, and how. Figures that are not defined are nan (null in JSON).

    Macro figures are means over the labels that have gold; ``without_gold`` lists the labels that have none.
    ``unread`` and ``unannotated`` labels are masked. ``contrasts`` is
    None where no group's members differ in their gold. ``warning`` says why the figures are optimistic, if they are.
    """

    model: str
    corpus: str
    sha256: str
    passages: int
    groups: int
    labels: tuple[Row, ...]
    micro: Row
    macro: Row
    slices: tuple[SliceRow, ...]
    stances: tuple[StanceRow, ...]
    without_gold: tuple[str, ...]
    unread: tuple[str, ...]
    unannotated: tuple[str, ...]
    resamples: int
    seed: int
    contrasts: Contrasts | None = None
    calibration_bins: int = metrics.CALIBRATION_BINS
    warning: str | None = None

    def __getitem__(self, label: str) -> Row:
        for row in self.labels:
            if row.name == SCHEME.check_label(label):
                return row
        raise UnknownLabel(f"{label!r} was not evaluated: {self.model} or {self.corpus} does not know it.")


class Samples(msgspec.Struct, frozen=True, eq=False):
    """Figures by resample: F1 and average precision of shape (r, L), the means of shape (r,)."""

    f1: Floats
    average_precision: Floats
    micro_f1: Floats

    @property
    def macro_f1(self) -> Floats:
        """Mean F1 over the labels with gold, by resample."""
        return metrics.mean_defined(self.f1)

    @property
    def macro_average_precision(self) -> Floats:
        """Mean average precision over the labels with gold, by resample."""
        return metrics.mean_defined(self.average_precision)


def evaluate(predictions: Predictions, resamples: int = 1000, seed: int = 0) -> Evaluation:
    """Returns all figures, with intervals from a bootstrap over groups."""
    counts = metrics.count(predictions.decided, predictions.gold)
    samples = sample_figures(predictions, resamples, seed)
    rows = tuple(_label_row(predictions, counts, samples, column) for column in _annotated(predictions))
    return Evaluation(
        model=predictions.model,
        corpus=predictions.corpus,
        sha256=predictions.sha256,
        passages=len(predictions.annotations),
        groups=len(set(predictions.groups)),
        labels=rows,
        micro=_micro_row(predictions, counts, samples),
        macro=_macro_row(rows, samples),
        slices=slice_rows(predictions, counts, resamples, seed),
        stances=stance_rows(predictions),
        without_gold=tuple(row.name for row in rows if not row.support),
        unread=predictions.unread,
        unannotated=predictions.unannotated,
        resamples=resamples,
        seed=seed,
        contrasts=find_contrasts(predictions),
        warning=_warning(predictions.seen_as),
    )


def sample_figures(predictions: Predictions, resamples: int, seed: int) -> Samples:
    """Returns the figures of every resample of the groups; the same draws for the same seed and groups."""
    grouping = Grouping.of(predictions.groups)
    cells = metrics.count(predictions.decided, predictions.gold)
    by_group = Counts(*(grouping.sums(part) for part in cells))
    f1, micro_f1, precision = [], [], []
    for weights in grouping.resample(resamples, seed):
        weighed = weigh(weights, by_group)
        f1.append(weighed.f1)
        micro_f1.append(weighed.pooled().f1)
        precision.append(_average_precisions(predictions, weights[:, grouping.members]))
    return Samples(np.concatenate(f1), np.concatenate(precision), np.concatenate(micro_f1))


def _average_precisions(predictions: Predictions, weights: Floats) -> Floats:
    columns = [
        metrics.resampled_average_precision(predictions.probabilities[:, column], predictions.gold[:, column], weights)
        for column in range(len(predictions.labels))
    ]
    return np.stack(columns, axis=1)


def _annotated(predictions: Predictions) -> list[int]:
    return [column for column, label in enumerate(predictions.labels) if label not in predictions.unannotated]


def _label_row(predictions: Predictions, counts: Counts, samples: Samples, column: int) -> Row:
    label = predictions.labels[column]
    row = _row(
        label,
        Counts(*(part[:, column].sum() for part in counts)),
        predictions.probabilities[:, column],
        predictions.gold[:, column],
    )
    return msgspec.structs.replace(
        row,
        f1_interval=interval(samples.f1[:, column]),
        average_precision_interval=interval(samples.average_precision[:, column]),
        provisional=label in predictions.provisional,
    )


def _micro_row(predictions: Predictions, counts: Counts, samples: Samples) -> Row:
    totals = Counts(*(part.sum() for part in counts))
    row = _row("micro", totals, predictions.probabilities, predictions.gold)
    return msgspec.structs.replace(row, f1_interval=interval(samples.micro_f1))


def _row(name: str, totals: Counts, probabilities: Floats, gold: Gold) -> Row:
    return Row(
        name=name,
        support=int(totals.hits + totals.misses),
        decided=int(totals.hits + totals.false_alarms),
        precision=float(totals.precision),
        recall=float(totals.recall),
        f1=float(totals.f1),
        average_precision=metrics.average_precision(probabilities, gold),
        brier=metrics.brier_score(probabilities, gold),
        calibration_error=metrics.calibration_error(probabilities, gold),
    )


def _macro_row(rows: tuple[Row, ...], samples: Samples) -> Row:
    carried = [row for row in rows if row.support]

    def mean(figure: str) -> float:
        return float(np.mean([getattr(row, figure) for row in carried])) if carried else NAN

    return Row(
        name="macro",
        support=sum(row.support for row in carried),
        decided=sum(row.decided for row in carried),
        precision=mean("precision"),
        recall=mean("recall"),
        f1=mean("f1"),
        average_precision=mean("average_precision"),
        brier=mean("brier"),
        calibration_error=mean("calibration_error"),
        f1_interval=interval(samples.macro_f1),
        average_precision_interval=interval(samples.macro_average_precision),
    )


def _warning(seen_as: str | None) -> str | None:
    if seen_as is None:
        return None
    done = "the scorer was fitted" if seen_as == "train" else "thresholds were fitted"
    return f"In training, {done} on this corpus: the figures are optimistic."
