"""Groups of passages that differ in little but their marks: whether a model answers a whole group right.

References:
    Matt Gardner et al., Evaluating Models' Local Decision Boundaries via Contrast Sets, Findings of EMNLP 2020.
"""

from __future__ import annotations

import msgspec
import numpy as np

from compersion_nlp.evaluate.predictions import Predictions
from compersion_nlp.evaluate.resampling import Grouping


class Contrasts(msgspec.Struct, frozen=True):
    """Contrast consistency: the share of groups in which every member is decided right, 0 to 1.

    Groups count whose members differ in whether a label is felt, and only the labels in which they differ. A model
    that gives all members of a group the same answer is right in none.
    """

    groups: int
    consistency: float


def find_contrasts(predictions: Predictions) -> Contrasts | None:
    """Returns how many groups are answered right, or None where no group's members differ."""
    grouping = Grouping.of(predictions.groups)
    gold = np.nan_to_num(predictions.gold).astype(np.float64)  # unknown for one passage, unknown for all
    felt = grouping.sums(gold)
    sizes = grouping.sums(np.ones_like(gold))
    differing = (felt > 0) & (felt < sizes)
    wrong = grouping.sums((predictions.decided != gold).astype(np.float64)) > 0
    right = [not (missed & differs).any() for missed, differs in zip(wrong, differing, strict=True) if differs.any()]
    return Contrasts(len(right), float(np.mean(right))) if right else None
