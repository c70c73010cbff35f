"""From logits to a decision: a calibration and a threshold for every label.

A label's probability is ``sigmoid(slope * logit + intercept)``. The two numbers are fitted on
development logits by Platt's method; the threshold maximises F1 on the probabilities that follow.

References:
    John C. Platt, Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized
    Likelihood Methods, in Advances in Large Margin Classifiers, MIT Press, 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.corpus import deal_folds
from compersion_nlp.errors import BadConfig

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Probabilities = npt.NDArray[np.float64]
Decided = npt.NDArray[np.bool_]

# A label needs this many examples on either side before numbers of its own are better than pooled ones.
ENOUGH = 20

# A fitted slope stays positive, so that calibration never turns a scorer's order around, and stays
# finite where the examples are perfectly separated. Both bounds are per standard deviation.
_SLOPES = (0.01, 100.0)

# A threshold that is raised to silence a passage is raised a little above it.
_RAISE_MARGIN = 1e-6

# How far from certain a threshold is kept, so that its log-odds are finite.
_CERTAIN = 1e-9

# Logits that differ by less than this, in standard deviation, are all the same: they tell no passages apart.
_SAME = 1e-6


class LabelDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one label is decided.

    ``threshold`` is a probability: a label is felt at or above it. ``positives`` counts the development passages
    that carry the label. ``provisional``: there were too few, and the numbers are those of all labels pooled.
    """

    slope: float
    intercept: float
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)]
    positives: Annotated[int, msgspec.Meta(ge=0)]
    provisional: bool


IDENTITY = LabelDecision(slope=1.0, intercept=0.0, threshold=0.5, positives=0, provisional=True)


class Decision(msgspec.Struct, frozen=True, dict=True):
    """How every label of a bundle is decided; the order of ``by_label`` is that of the columns."""

    by_label: dict[str, LabelDecision]

    @classmethod
    def identity(cls, labels: Sequence[str]) -> Decision:
        """Returns the decision of uncalibrated labels: the logit as it is, a threshold of 0.5, provisional."""
        return cls(dict.fromkeys(labels, IDENTITY))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the columns."""
        return tuple(self.by_label)

    @cached_property
    def _columns(self) -> tuple[Probabilities, Probabilities, Probabilities]:
        rows = [(label.slope, label.intercept, label.threshold) for label in self.by_label.values()]
        slopes, intercepts, thresholds = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        return slopes, intercepts, thresholds

    def probabilities(self, logits: Floats) -> Probabilities:
        """Returns calibrated probabilities of shape (n, L) for logits of that shape."""
        slopes, intercepts, _ = self._columns
        return sigmoid(logits.astype(np.float64) * slopes + intercepts)

    def margins(self, logits: Floats) -> npt.NDArray[np.float64]:
        """Returns how far logits of shape (n, L) are above the thresholds, in calibrated log-odds."""
        slopes, intercepts, thresholds = self._columns
        found: npt.NDArray[np.float64] = logits.astype(np.float64) * slopes + intercepts - _logit(thresholds)
        return found

    def scale(self, parts: Floats) -> npt.NDArray[np.float64]:
        """Returns parts of logits, of shape (n, L), as parts of calibrated log-odds."""
        scaled: npt.NDArray[np.float64] = parts * self._columns[0]
        return scaled

    def decide(self, probabilities: Floats) -> Decided:
        """Returns which labels are felt, of shape (n, L), for probabilities of that shape."""
        return probabilities >= self._columns[2]


class CrossFitted(NamedTuple):
    """Probabilities and decisions of shape (n, L), each row judged by numbers fitted on other groups."""

    probabilities: Probabilities
    decided: Decided


def fit_decision(
    labels: Sequence[str], logits: Floats, gold: Floats, most_false_alarms: float | None = None
) -> Decision:
    """Returns calibrations and thresholds fitted on development data.

    ``logits`` and ``gold`` have shape (n, L); gold is 1, 0 or nan (unknown, left out). A label with fewer than
    20 passages that carry it, or fewer than 20 that don't, takes the numbers of all labels pooled, and is provisional.
    With ``most_false_alarms``, 0 to 1, all thresholds are raised by the same odds until at most that share of the
    passages that carry nothing are given a label.

    >>> logits = np.repeat([[2.0], [1.0], [-1.0], [-2.0]], 20, axis=0)
    >>> decision = fit_decision(["joy"], logits, (logits > 0).astype(float))
    >>> round(decision.by_label["joy"].threshold, 6)
    0.5
    """
    expected = (len(logits), len(labels))
    if logits.shape != expected or gold.shape != expected:
        raise BadConfig(
            f"A decision for {len(labels)} labels got logits of shape {logits.shape} and gold of shape {gold.shape}.",
            f"Expected {expected} for both.",
        )
    known = ~np.isnan(gold)
    pooled = _fit_label(logits[known], gold[known])
    columns = (_known_column(logits, gold, known, column) for column in range(len(labels)))
    decision = Decision({label: _decide_label(*column, pooled) for label, column in zip(labels, columns, strict=True)})
    return decision if most_false_alarms is None else _raised(decision, logits, gold, most_false_alarms)


def _raised(decision: Decision, logits: Floats, gold: Floats, most_false_alarms: float) -> Decision:
    """Returns the decision with its thresholds raised as far as the passages that carry nothing ask for."""
    empty = (gold == 0).all(axis=1)
    if not empty.any():
        return decision
    # How far the surest label of each such passage is above its threshold: the raise that would just silence it.
    above = decision.margins(logits[empty]).max(axis=1)
    allowed = int(most_false_alarms * len(above))
    loudest = np.sort(above)[::-1]
    needed = float(loudest[allowed]) + _RAISE_MARGIN if allowed < len(above) else 0.0
    raised = sigmoid(_logit(decision._columns[2]) + max(needed, 0.0))
    return Decision(
        {
            label: msgspec.structs.replace(numbers, threshold=float(threshold))
            for (label, numbers), threshold in zip(decision.by_label.items(), raised, strict=True)
        }
    )


def cross_fit(
    labels: Sequence[str],
    logits: Floats,
    gold: Floats,
    groups: Sequence[str],
    folds: int = 5,
    seed: int = 0,
    most_false_alarms: float | None = None,
) -> CrossFitted:
    """Returns what an honest score is counted on: no row is judged by numbers that saw its group.

    The groups are dealt into ``folds`` folds, fewer where there are fewer groups; the decision for one fold is
    fitted on the others. Raises BadConfig for fewer than two groups.
    """
    probabilities = np.zeros(logits.shape, dtype=np.float64)
    decided = np.zeros(logits.shape, dtype=np.bool_)
    if (found := len(set(groups))) < 2:
        raise BadConfig(f"Cross-fitting got {found} group.", "It needs at least two groups of passages.")
    folds = min(folds, found)
    fold_of = deal_folds(groups, folds, seed)
    for fold in range(folds):
        held_out = fold_of == fold
        decision = fit_decision(labels, logits[~held_out], gold[~held_out], most_false_alarms)
        probabilities[held_out] = decision.probabilities(logits[held_out])
        decided[held_out] = decision.decide(probabilities[held_out])
    return CrossFitted(probabilities, decided)


def _known_column(logits: Floats, gold: Floats, known: Decided, column: int) -> tuple[Floats, Floats]:
    rows = known[:, column]
    return logits[rows, column], gold[rows, column]


def _decide_label(logits: Floats, gold: Floats, pooled: LabelDecision) -> LabelDecision:
    positives = int(gold.sum())
    if min(positives, len(gold) - positives) < ENOUGH:
        return msgspec.structs.replace(pooled, positives=positives, provisional=True)
    return _fit_label(logits, gold)


def _fit_label(logits: Floats, gold: Floats) -> LabelDecision:
    """Returns the numbers for known gold, or the identity where it holds nothing to fit."""
    positives = int(gold.sum())
    if positives == 0 or positives == len(gold) or logits.std() < _SAME:
        return msgspec.structs.replace(IDENTITY, positives=positives)
    slope, intercept = _platt(logits.astype(np.float64), gold > 0)
    threshold = _best_threshold(sigmoid(slope * logits.astype(np.float64) + intercept), gold > 0)
    return LabelDecision(slope, intercept, threshold, positives, provisional=False)


def _platt(logits: Probabilities, gold: Decided) -> tuple[float, float]:
    """Returns the slope and intercept of the most likely sigmoid, for Platt's smoothed targets."""
    from scipy.optimize import minimize  # takes half a second to import, and only fitting needs it

    positives = int(gold.sum())
    targets = np.where(gold, (positives + 1) / (positives + 2), 1 / (len(gold) - positives + 2))
    mean, spread = logits.mean(), logits.std()
    scaled = (logits - mean) / spread

    def loss(pair: Probabilities) -> tuple[float, Probabilities]:
        line = pair[0] * scaled + pair[1]
        error = sigmoid(line) - targets
        return float(np.mean(np.logaddexp(0, line) - targets * line)), np.array([np.mean(error * scaled), error.mean()])

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[_SLOPES, (None, None)]).x
    return float(slope / spread), float(intercept - slope * mean / spread)


def _best_threshold(probabilities: Probabilities, gold: Decided) -> float:
    """Returns the threshold with the best F1; of equally good ones, the nearest to 0.5.

    Only midpoints between neighbouring probabilities are considered, so that a threshold has room on both sides
    and never calls all development passages positive, or all negative.
    """
    ranked = np.argsort(-probabilities, kind="stable")
    ordered, hits = probabilities[ranked], np.cumsum(gold[ranked])
    cuts = np.flatnonzero(ordered[:-1] > ordered[1:])
    if not len(cuts):
        return 0.5
    f1 = 2 * hits[cuts] / (cuts + 1 + hits[-1])
    midpoints = (ordered[cuts] + ordered[cuts + 1]) / 2
    best = midpoints[np.isclose(f1, f1.max(), rtol=0, atol=1e-12)]
    return float(best[np.argmin(np.abs(best - 0.5))])


def _logit(probabilities: Probabilities) -> Probabilities:
    """Returns the log-odds of probabilities, kept finite at 0 and 1."""
    kept = np.clip(probabilities, _CERTAIN, 1 - _CERTAIN)
    return np.log(kept) - np.log1p(-kept)


def sigmoid(values: Probabilities) -> Probabilities:
    """Returns the logistic function without overflow, exact for small probabilities too."""
    return np.exp(-np.logaddexp(0, -values))
