"""A table of text, and figures as its cells."""

from __future__ import annotations

from math import isnan

import msgspec

from compersion_nlp.evaluate.resampling import Interval

UNDEFINED = "–"


class Table(msgspec.Struct, frozen=True):
    """A titled table of text; the first ``names`` columns are names, the others figures."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


def markdown_table(table: Table) -> str:
    """Returns one table in Markdown, figures to the right."""
    rule = ["---"] * table.names + ["---:"] * (len(table.header) - table.names)
    return "\n".join(f"| {' | '.join(row)} |" for row in (table.header, rule, *table.rows))


def show_figure(value: float, digits: int = 2, sign: bool = False) -> str:
    """Returns a figure as a cell: a dash where it is not defined; with ``sign``, a plus where it is not negative.

    >>> show_figure(0.125, sign=True), show_figure(float("nan"))
    ('+0.12', '–')
    """
    return UNDEFINED if isnan(value) else f"{value:{'+' if sign else ''}.{digits}f}"


def show_interval(bounds: Interval | None) -> str:
    """Returns an interval as a cell, a dash where there is none."""
    return UNDEFINED if bounds is None else f"{bounds.low:.2f}–{bounds.high:.2f}"
