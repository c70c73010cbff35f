"""Fits the cascade: how much doubt about a text the first bundle may have before the second has to read it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Bundle, open_bundle
from compersion_nlp.bundle.manifest import MANIFEST
from compersion_nlp.decision import sigmoid
from compersion_nlp.errors import BadConfig
from compersion_nlp.scorers.cascade import CascadeScorer, Doubt, Settings, Tier, doubts
from compersion_nlp.scorers.protocol import Scores, StanceScorer
from compersion_nlp.scoring import window_logits
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting

_FLATTEST, _STEEPEST = 0.05, 20.0  # bounds of how fast doubt falls with the margin
_STRENGTH = 1.0  # of the pull that keeps the doubts of rare labels near those of all labels together


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the cascade fitter.

    ``first`` and ``second`` are folders of bundles, beside the one that is made. ``most_lost`` is how much macro F1 on
    the passages it is fitted on the cascade may lose beside the second bundle alone, 0 to 1. Doubts are fitted on whole
    passages, each bundle reading them in its own windows.
    """

    first: Path
    second: Path
    most_lost: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01


def fit(options: Options, part: Part, labels: tuple[str, ...], setting: Setting) -> CascadeScorer:
    """Returns the cascade that hands on as few passages of ``part`` as it can and loses no more than it may.

    ``part`` should be passages that neither bundle was fitted on: those that their thresholds were. Raises BadConfig if
    the bundles do not read the labels.
    """
    if options.first.resolve().parent != options.second.resolve().parent:
        raise BadConfig("The two bundles of the cascade lie in different folders.", "Put all three side by side.")
    if not (part.gold == 1).any():
        raise BadConfig("Nothing is felt in any passage that the cascade is fitted on.", "Name other passages.")
    first, second = (_open(folder, labels) for folder in (options.first, options.second))
    fast, good = (_margins(bundle, part.texts) for bundle in (first, second))
    numbers = _fit_doubts(fast, (fast >= 0) != (good >= 0))
    most = _most_doubt(doubts(fast, numbers), fast >= 0, good >= 0, part.gold, options.most_lost)
    found = {label: Doubt(*row) for label, row in zip(labels, numbers.T.tolist(), strict=True)}
    settings = Settings(_tier(first), _tier(second), found, most)
    return CascadeScorer(labels, first, second, settings)


def _open(folder: Path, labels: tuple[str, ...]) -> Bundle:
    bundle = open_bundle(folder)
    if bundle.manifest.labels != labels:
        raise BadConfig(f"{folder} has other labels than the recipe.", "A cascade reads what both its bundles read.")
    if not isinstance(bundle.scorer, StanceScorer):
        raise BadConfig(f"{folder} knows no stances.", "A cascade is made of bundles that do, as fast and encoder.")
    return bundle


def _tier(bundle: Bundle) -> Tier:
    return Tier(bundle.folder.name, hashlib.sha256((bundle.folder / MANIFEST).read_bytes()).hexdigest())


def _margins(bundle: Bundle, texts: list[str]) -> Scores:
    logits = window_logits(bundle.scorer, texts, bundle.manifest.window, bundle.manifest.aggregate)
    return bundle.decision.margins(logits).astype(np.float32)


def _fit_doubts(fast: Scores, differs: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Returns the numbers of each label's doubt, (4, L), from margins, and where the other scorer decides otherwise."""
    sides = []
    for above in (fast >= 0, fast < 0):
        pooled = _fit_line(np.abs(fast[above]), differs[above], None)
        columns = range(fast.shape[1])
        rows = [above[:, column] for column in columns]
        sides.append(
            [_fit_line(np.abs(fast[row, c]), differs[row, c], pooled) for c, row in zip(columns, rows, strict=True)]
        )
    yes, no = (np.array(side).T for side in sides)
    return np.concatenate([yes, no])


def _fit_line(
    margin: npt.NDArray[np.float32], differs: npt.NDArray[np.bool_], near: tuple[float, float] | None
) -> tuple[float, float]:
    """Returns start and slope of the likeliest ``sigmoid(start - slope * margin)``, held near those of all labels."""
    from scipy.optimize import minimize

    start = (0.0, 1.0) if near is None else near

    def loss(pair: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        line = pair[0] - pair[1] * margin
        error = sigmoid(line) - differs
        off = np.zeros(2) if near is None else _STRENGTH * (pair - np.array(near))
        value = float(np.sum(np.logaddexp(0, line) - differs * line) + off @ off / 2 / _STRENGTH)
        return value, np.array([error.sum(), -(error * margin).sum()]) + off

    found = minimize(loss, np.array(start), jac=True, bounds=[(None, None), (_FLATTEST, _STEEPEST)])
    return float(found.x[0]), float(found.x[1])


def _most_doubt(
    doubt: npt.NDArray[np.float64],
    fast: npt.NDArray[np.bool_],
    good: npt.NDArray[np.bool_],
    gold: npt.NDArray[np.float32],
    most_lost: float,
) -> float:
    """Returns the most doubt with which passages can stay with the first scorer.

    Passages come over in the order of their doubt; of all places to stop at which no more macro F1 is lost than
    allowed, the last one with none before it that breaks this is taken.
    """
    decided = good.copy()
    least = _macro_f1(decided, gold) - most_lost
    taken = 0.0
    for level in np.unique(doubt):  # equal doubts come over together, or not at all
        rows = doubt == level
        decided[rows] = fast[rows]
        if (decided[rows] != good[rows]).any() and _macro_f1(decided, gold) < least:
            break
        taken = float(level)
    return taken


def _macro_f1(decided: npt.NDArray[np.bool_], gold: npt.NDArray[np.float32]) -> float:
    known = ~np.isnan(gold)
    positive = gold == 1
    hits = (decided & positive).sum(axis=0)
    called, there = (decided & known).sum(axis=0), positive.sum(axis=0)
    present = there > 0
    return float(np.mean(2 * hits[present] / (called + there)[present]))
