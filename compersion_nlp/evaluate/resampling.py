"""The bootstrap by group: passages of one writer or thread are drawn together, never apart.

A resample is a row of weights, how often each group was drawn; sums over passages become one matrix
product. Intervals are percentile intervals.

References:
    Edwin B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, Journal of the American
    Statistical Association 22 (158), 1927 (the interval of a rate).
    Bradley Efron, Robert J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.evaluate.metrics import Counts, Floats

LEVEL = 0.95
_AT_ONCE = 4_000_000  # weights held in memory at a time, so that large corpora need no more of it


class Interval(msgspec.Struct, frozen=True, array_like=True):
    """The bounds of a 95 % interval."""

    low: float
    high: float


def wilson_interval(hits: int, tries: int) -> Interval | None:
    """Returns the 95 % score interval of a rate, taking the tries for independent; None where there are none.

    >>> wilson_interval(10, 10)
    Interval(low=0.7224672001371107, high=1.0)
    """
    if not tries:
        return None
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    rate, weight = hits / tries, z * z / tries
    middle = rate + weight / 2
    spread = sqrt(weight * (rate * (1 - rate) + weight / 4))
    low, high = ((middle + side * spread) / (1 + weight) for side in (-1, 1))
    return Interval(max(0.0, low), min(1.0, high))


class Grouping(msgspec.Struct, frozen=True, eq=False):
    """Which group each of ``n`` passages belongs to, by number."""

    members: npt.NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, groups: Sequence[str]) -> Grouping:
        """Returns the grouping of passages by the names of their groups."""
        numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        return cls(np.array([numbers[group] for group in groups], dtype=np.int64), len(numbers))

    def sums(self, values: Floats) -> Floats:
        """Returns the sums over the passages of each group, of shape (groups, ...)."""
        totals = np.zeros((self.size, *values.shape[1:]))
        np.add.at(totals, self.members, values)
        return totals

    def resample(self, resamples: int, seed: int) -> Iterator[Floats]:
        """Yields weights of shape (r, groups), ``resamples`` rows in all; the same for the same seed."""
        generator = np.random.default_rng(seed)
        at_once = max(1, _AT_ONCE // self.size)
        even = np.full(self.size, 1 / self.size)
        for start in range(0, resamples, at_once):
            drawn = generator.multinomial(self.size, even, size=min(at_once, resamples - start))
            yield drawn.astype(np.float64)


def weigh(weights: Floats, counts: Counts) -> Counts:
    """Returns the counts of each resample, (r, ...), from weights (r, groups) and counts (groups, ...)."""
    return Counts(*(np.tensordot(weights, part, axes=1) for part in counts))


def interval(samples: Floats) -> Interval | None:
    """Returns the interval of one figure over its resamples; None where it is defined in none."""
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(low), float(high))


def share_above(samples: Floats) -> float:
    """Returns the share of resamples above 0, a tie counting half; nan where none is defined."""
    defined = samples[~np.isnan(samples)]
    return float(np.mean((defined > 0) + 0.5 * (defined == 0))) if len(defined) else float("nan")
