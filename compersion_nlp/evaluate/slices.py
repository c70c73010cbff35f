"""Parts of a corpus that are worth a look of their own, and what is made of mentions that are not felt."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from importlib.resources import files

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.corpus import LENGTH_BANDS, length_band, word_count
from compersion_nlp.evaluate import metrics
from compersion_nlp.evaluate.metrics import Counts
from compersion_nlp.evaluate.predictions import Predictions
from compersion_nlp.evaluate.resampling import Grouping, Interval, interval, weigh
from compersion_nlp.labels import SCHEME

Mask = npt.NDArray[np.bool_]


def _read_opposites() -> tuple[tuple[str, str], ...]:
    listed: dict[str, list[str]] = tomllib.loads(
        files("compersion_nlp.evaluate").joinpath("opposites.toml").read_text("utf-8")
    )
    return tuple((SCHEME.check_label(one), SCHEME.check_label(other)) for one in listed for other in listed[one])


OPPOSITES = _read_opposites()


class SliceRow(msgspec.Struct, frozen=True):
    """The figures of one part of the corpus; ``false_alarm`` is the share of passages with any."""

    family: str
    name: str
    passages: int
    support: int
    precision: float
    recall: float
    micro_f1: float
    micro_f1_interval: Interval | None
    macro_f1: float
    false_alarm: float


class StanceRow(msgspec.Struct, frozen=True):
    """How often a mention with this gold stance is decided as felt.

    At best always for ``felt``, and never for the other stances.
    """

    stance: str
    mentions: int
    read_as_felt: float


def slice_rows(predictions: Predictions, counts: Counts, resamples: int, seed: int) -> tuple[SliceRow, ...]:
    """Returns a row for every slice, given the counts of each cell."""
    grouping = Grouping.of(predictions.groups)
    return tuple(
        _slice_row(family, name, mask, counts, grouping, resamples, seed)
        for family, name, mask in find_slices(predictions)
    )


def _slice_row(
    family: str, name: str, mask: Mask, counts: Counts, grouping: Grouping, resamples: int, seed: int
) -> SliceRow:
    inside = Counts(*(part * mask[:, None] for part in counts))
    by_label = Counts(*(part.sum(axis=0) for part in inside))
    pooled = by_label.pooled()
    by_group = Counts(*(grouping.sums(part.sum(axis=1)) for part in inside))
    samples = np.concatenate([weigh(weights, by_group).f1 for weights in grouping.resample(resamples, seed)])
    return SliceRow(
        family=family,
        name=name,
        passages=int(mask.sum()),
        support=int(pooled.hits + pooled.misses),
        precision=float(pooled.precision),
        recall=float(pooled.recall),
        micro_f1=float(pooled.f1),
        micro_f1_interval=interval(samples),
        macro_f1=float(metrics.mean_defined(by_label.f1)),
        false_alarm=float((counts.false_alarms[mask].sum(axis=1) > 0).mean()),
    )


def stance_rows(predictions: Predictions) -> tuple[StanceRow, ...]:
    """Returns a row for every stance that the gold holds, in the scheme's order."""
    rows = []
    for place, stance in enumerate(SCHEME.stance_names):
        cells = predictions.stances == place
        if cells.any():
            rows.append(StanceRow(stance, int(cells.sum()), float(predictions.decided[cells].mean())))
    return tuple(rows)


def find_slices(predictions: Predictions) -> Iterator[tuple[str, str, Mask]]:
    """Yields family, name and passages, bool of shape (n,), of every slice that is not empty."""
    kinds = [annotation.kind for annotation in predictions.annotations]
    manners = [annotation.manner or "" for annotation in predictions.annotations]
    bands = [length_band(word_count(annotation.text)) for annotation in predictions.annotations]
    yield from _by_value("kind", kinds, sorted(set(kinds)))
    yield from _by_value("length", bands, LENGTH_BANDS)
    yield from _by_value("manner", manners, sorted(set(manners) - {""}))
    felt = np.array([bool(annotation.felt) for annotation in predictions.annotations])
    opposed = np.array([_holds_opposites(annotation.felt) for annotation in predictions.annotations])
    for name, mask in (("opposites together", opposed), ("nothing", ~felt)):
        if mask.any():
            yield "felt", name, mask


def _by_value(family: str, values: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, str, Mask]]:
    for name in names:
        mask = np.array([value == name for value in values])
        if mask.any():
            yield family, name, mask


def _holds_opposites(felt: Sequence[str]) -> bool:
    return any(one in felt and other in felt for one, other in OPPOSITES)
