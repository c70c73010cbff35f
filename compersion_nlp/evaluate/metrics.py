"""Metrics for labels that are independent of each other, with unknown gold left out.

Arrays have shape (n, L), one column a label; gold is 1, 0 or nan (unknown). A figure that is not
defined is nan: with no passage that carries a label there is no recall, no F1 and no average precision.

References:
    Mahdi Pakdaman Naeini, Gregory F. Cooper, Milos Hauskrecht, Obtaining Well Calibrated Probabilities
    Using Bayesian Binning, AAAI, 2015 (expected calibration error); Chuan Guo, Geoff Pleiss, Yu Sun,
    Kilian Q. Weinberger, On Calibration of Modern Neural Networks, ICML, 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

CALIBRATION_BINS = 10

Floats = npt.NDArray[np.float64]
Gold = npt.NDArray[np.float32]
Decided = npt.NDArray[np.bool_]


class Counts(NamedTuple):
    """Hits, false alarms and misses, arrays of one shape; the last axis is the labels."""

    hits: Floats
    false_alarms: Floats
    misses: Floats

    def pooled(self) -> Counts:
        """Returns the counts summed over the labels."""
        return Counts(*(part.sum(axis=-1) for part in self))

    @property
    def precision(self) -> Floats:
        """Part of the decided that is right; 0 where nothing was decided, nan where nothing was to be found."""
        return _where_carried(self, ratio(self.hits, self.hits + self.false_alarms, empty=0.0))

    @property
    def recall(self) -> Floats:
        """Part of the gold that was found; nan where there is none."""
        return ratio(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall; nan where nothing was to be found."""
        return _where_carried(self, ratio(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses))


def count(decided: Decided, gold: Gold) -> Counts:
    """Returns the counts cell by cell: 0 or 1, of the shape of ``gold``; unknown cells count nowhere."""
    felt, not_felt = gold == 1, gold == 0
    cells = (decided & felt, decided & not_felt, ~decided & felt)
    return Counts(*(cell.astype(np.float64) for cell in cells))


def ratio(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    """Returns ``part / whole``, and ``empty`` where ``whole`` is 0."""
    result = np.full(np.shape(whole), empty)
    np.divide(part, whole, out=result, where=np.asarray(whole) > 0)
    return result


def _where_carried(counts: Counts, values: Floats) -> Floats:
    return np.where(counts.hits + counts.misses > 0, values, np.nan)


def mean_defined(values: Floats) -> Floats:
    """Returns the mean over the last axis of what is defined, nan where nothing is."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(np.float64))


def average_precision(probabilities: Floats, gold: Gold) -> float:
    """Returns the average precision of all known cells taken as one list; nan without a positive."""
    known = ~np.isnan(gold)
    if not (gold[known] == 1).any():
        return float("nan")
    return float(average_precision_score(gold[known], probabilities[known]))


def resampled_average_precision(probabilities: Floats, gold: Gold, weights: Floats) -> Floats:
    """Returns average precision of one label, of shape (r,), for ``weights`` of shape (r, n) on the passages.

    Equal probabilities are one threshold, as in scikit-learn; with all weights 1 the figure is the same. With few
    positives the resamples lean upwards, since a positive drawn twice ranks next to itself.
    """
    known = np.flatnonzero(~np.isnan(gold))
    ranked = known[np.argsort(-probabilities[known], kind="stable")]
    last_of_ties = np.append(np.flatnonzero(np.diff(probabilities[ranked])), len(ranked) - 1)[: len(ranked)]
    weighted = weights[:, ranked]
    hits = np.cumsum(weighted * (gold[ranked] == 1), axis=1)[:, last_of_ties]
    retrieved = np.cumsum(weighted, axis=1)[:, last_of_ties]
    gained = np.diff(hits, axis=1, prepend=0.0)
    total = (ratio(hits, retrieved, empty=0.0) * gained).sum(axis=1)
    return ratio(total, gained.sum(axis=1))


def brier_score(probabilities: Floats, gold: Gold) -> float:
    """Returns the mean squared distance of probability and gold over all known cells."""
    known = ~np.isnan(gold)
    return float(np.mean((probabilities[known] - gold[known]) ** 2)) if known.any() else float("nan")


def calibration_error(probabilities: Floats, gold: Gold) -> float:
    """Returns the expected calibration error over all known cells, in ten bins of equal width.

    In each bin: how far the share of positives is from the mean probability, weighted by the bin's size.
    """
    known = ~np.isnan(gold)
    if not known.any():
        return float("nan")
    found, wanted = probabilities[known], gold[known]
    bins = np.minimum((found * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    excess = np.bincount(bins, weights=found - wanted, minlength=CALIBRATION_BINS)
    return float(np.abs(excess).sum() / len(found))
