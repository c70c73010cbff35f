"""The tables of a behavioural test, and what a reader of them has to know."""

from __future__ import annotations

from collections.abc import Iterator

from compersion_nlp.evaluate.behaviour.result import Behaviour, DirectionRow, FunctionalityRow, InvarianceRow, Part
from compersion_nlp.evaluate.table import Table, show_figure, show_interval


def behaviour_tables(result: Behaviour) -> tuple[Table, ...]:
    """Returns a table for each kind of test that the folder has, its total last."""
    found = (
        result.functionality and _functionality_table(result.functionality),
        result.direction and _direction_table(result.direction),
        result.invariance and _invariance_table(result.invariance),
    )
    return tuple(table for table in found if table)


def _functionality_table(part: Part[FunctionalityRow]) -> Table:
    rows = tuple(
        (row.slice, str(row.tests), str(row.passed), show_figure(row.rate), show_interval(row.interval))
        for row in (*part.rows, part.total)
    )
    return Table("Functionality", ("slice", "tests", "passed", "rate", "95 %"), rows)


def _direction_table(part: Part[DirectionRow]) -> Table:
    rows = tuple(
        (
            row.slice,
            str(row.pairs),
            str(row.right),
            show_figure(row.rate),
            show_interval(row.interval),
            show_figure(row.shift, sign=True),
            show_figure(row.shift_as_expected, sign=True),
        )
        for row in (*part.rows, part.total)
    )
    return Table("Direction", ("slice", "pairs", "right", "rate", "95 %", "shift", "as expected"), rows)


def _invariance_table(part: Part[InvarianceRow]) -> Table:
    rows = tuple(
        (
            row.slice,
            str(row.pairs),
            show_figure(row.flips, 3),
            show_figure(row.any_flip),
            show_interval(row.any_flip_interval),
            show_figure(row.mean_shift, 3),
            show_figure(row.largest_shift),
        )
        for row in (*part.rows, part.total)
    )
    return Table("Invariance", ("slice", "pairs", "flips", "any flip", "95 %", "mean shift", "largest"), rows)


def behaviour_notes(result: Behaviour) -> Iterator[str]:
    """Yields what the columns mean, what was left out, and where the failed tests are."""
    if result.functionality:
        yield "Functionality: passed if every label that has to be felt is, and none that must not be."
    if result.direction:
        yield (
            f"Direction: right if the label's probability moves as expected by {result.moves:g} or more, or its "
            "decision changes as expected; shift: mean change of the probability; as expected: the same, positive "
            "where it goes the right way."
        )
    if result.invariance:
        yield (
            f"Invariance: flips: share of the labels of all pairs ({len(result.labels)} a pair) decided differently; "
            "any flip: share of pairs with one or more of them; shifts of probability without their sign."
        )
    yield "Intervals: 95 % Wilson score intervals, of tests taken for independent."
    if result.unread:
        named = ", ".join(f"{label} ({count})" for label, count in result.unread.items())
        yield (
            f"Not read by the model, and left out of the tests that name them: {named}; "
            f"tests of which nothing was left: {result.skipped}."
        )
    yield f"Tests failed: {len(result.failures)}. --json lists them by id."
