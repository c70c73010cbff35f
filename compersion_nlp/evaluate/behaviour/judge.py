"""Each kind of behavioural test judged: its rows, and the tests that failed. Labels that are not read are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from compersion_nlp.evaluate.behaviour.answers import NOT_FELT, Answers
from compersion_nlp.evaluate.behaviour.files import Direction, Functionality
from compersion_nlp.evaluate.behaviour.result import (
    ALL,
    MOVES,
    AnyRow,
    DirectionRow,
    Failure,
    FunctionalityRow,
    InvarianceRow,
    Miss,
    Part,
)
from compersion_nlp.evaluate.behaviour.swaps import Pair
from compersion_nlp.evaluate.metrics import Decided, Floats
from compersion_nlp.evaluate.resampling import wilson_interval
from compersion_nlp.labels import FELT
from compersion_nlp.tagger import PROBABILITY_DIGITS

SAME = "same"


def judge_functionality(
    tests: Sequence[Functionality], answers: Answers
) -> tuple[Part[FunctionalityRow] | None, list[Failure]]:
    """Returns the share of tests in which every label named is read right."""
    asked = [test for test in tests if answers.columns.keys() & {*test.felt, *test.not_felt}]
    misses = [tuple(_misread(test, answers)) for test in asked]
    passed = np.array([not missed for missed in misses], dtype=np.bool_)

    def row(name: str, chosen: Decided) -> FunctionalityRow:
        count, hits = int(chosen.sum()), int(passed[chosen].sum())
        return FunctionalityRow(name, count, hits, _mean(passed[chosen]), wilson_interval(hits, count))

    failures = [
        Failure(test.id, "functionality", test.slice, missed)
        for test, missed in zip(asked, misses, strict=True)
        if missed
    ]
    return _part([test.slice for test in tests], [test.slice for test in asked], row), failures


def _misread(test: Functionality, answers: Answers) -> Iterator[Miss]:
    for labels, expected in ((test.felt, FELT), (test.not_felt, NOT_FELT)):
        for label in labels:
            if label in answers.columns and answers.is_felt(test.text, label) != (expected == FELT):
                yield answers.miss(label, expected, test.text)


def judge_direction(tests: Sequence[Direction], answers: Answers) -> tuple[Part[DirectionRow] | None, list[Failure]]:
    """Returns the share of tests whose label goes where it should: by MOVES or more, or from decision to decision."""
    asked = [test for test in tests if test.label in answers.columns]
    columns = answers.columns_of(test.label for test in asked)
    before = (answers.rows_of(test.text for test in asked), columns)
    after = (answers.rows_of(test.changed for test in asked), columns)
    sign = np.array([-1.0 if test.expect == "falls" else 1.0 for test in asked])
    shift = np.round(answers.probabilities[after] - answers.probabilities[before], PROBABILITY_DIGITS)
    turn = answers.felt[after].astype(np.float64) - answers.felt[before]
    right = (sign * shift >= MOVES) | (sign * turn > 0)

    def row(name: str, chosen: Decided) -> DirectionRow:
        count, hits = int(chosen.sum()), int(right[chosen].sum())
        return DirectionRow(
            slice=name,
            pairs=count,
            right=hits,
            rate=_mean(right[chosen]),
            interval=wilson_interval(hits, count),
            shift=_mean(shift[chosen]),
            shift_as_expected=_mean((sign * shift)[chosen]),
        )

    failures = [
        Failure(test.id, "direction", test.slice, (answers.miss(test.label, test.expect, test.text, test.changed),))
        for test, moved in zip(asked, right, strict=True)
        if not moved
    ]
    return _part([test.slice for test in tests], [test.slice for test in asked], row), failures


def judge_invariance(
    pairs: Sequence[Pair], slices: Sequence[str], answers: Answers
) -> tuple[Part[InvarianceRow] | None, list[Failure]]:
    """Returns how many cells and pairs are decided differently, over all labels that are read."""
    before = answers.rows_of(pair.text for pair in pairs)
    after = answers.rows_of(pair.changed for pair in pairs)
    flipped = answers.felt[before] != answers.felt[after]
    shift: Floats = np.abs(np.round(answers.probabilities[after] - answers.probabilities[before], PROBABILITY_DIGITS))

    def row(name: str, chosen: Decided) -> InvarianceRow:
        any_flip = flipped[chosen].any(axis=1)
        return InvarianceRow(
            slice=name,
            pairs=len(any_flip),
            cells=flipped[chosen].size,
            flipped_cells=int(flipped[chosen].sum()),
            flips=_mean(flipped[chosen]),
            flipped_pairs=int(any_flip.sum()),
            any_flip=_mean(any_flip),
            any_flip_interval=wilson_interval(int(any_flip.sum()), len(any_flip)),
            mean_shift=_mean(shift[chosen]),
            largest_shift=float(shift[chosen].max()) if len(any_flip) else float("nan"),
        )

    labels = tuple(answers.columns)
    failures = [
        Failure(
            pair.id,
            "invariance",
            pair.slice,
            tuple(answers.miss(labels[column], SAME, pair.text, pair.changed) for column in np.flatnonzero(cells)),
        )
        for pair, cells in zip(pairs, flipped, strict=True)
        if cells.any()
    ]
    return _part(slices, [pair.slice for pair in pairs], row), failures


def _part(slices: Sequence[str], members: Sequence[str], row: Callable[[str, Decided], AnyRow]) -> Part[AnyRow] | None:
    """Returns a row for each of ``slices``, even one of no member, and the total; None where there are none."""
    if not slices:
        return None
    of = np.array(members, dtype=np.str_)
    rows = tuple(row(name, of == name) for name in dict.fromkeys(slices))
    return Part(rows, row(ALL, np.ones(len(members), dtype=np.bool_)))


def _mean(values: Floats | Decided) -> float:
    return float(values.mean()) if values.size else float("nan")
