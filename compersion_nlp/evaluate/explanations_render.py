"""Figures on explanations as tables of text."""

from __future__ import annotations

from collections.abc import Iterator

from compersion_nlp.evaluate.explanations import Explanations, Share
from compersion_nlp.evaluate.table import Table, show_figure, show_interval


def explanation_tables(result: Explanations) -> tuple[Table, ...]:
    """Returns the tables of figures on explanations."""
    rows = [
        (row.stance, str(row.support), str(row.read), *map(show_figure, (row.precision, row.recall, row.f1)))
        for row in result.stances
    ]
    rows.append(("macro", "", "", "", "", show_figure(result.stance_macro_f1)))
    shares = [("falls without its evidence", result.falls)]
    if result.overlap is not None:
        shares.insert(0, ("overlaps the readers' sentence", result.overlap))
    return (
        Table("Stances of what is not felt", ("stance", "gold", "read", "prec.", "recall", "F1"), tuple(rows)),
        Table("Evidence", ("a label read as felt", "labels", "share", "95 %"), tuple(_cells(*one) for one in shares)),
    )


def explanation_notes(result: Explanations) -> Iterator[str]:
    """Yields what a reader of the tables has to know."""
    yield (
        f"{result.passages} passages, each read with explanations. A stance is right where the reading gives a label "
        "the stance that the passage is marked with."
    )
    yield "Overlap: of labels rightly read as felt in passages of several sentences; intervals are Wilson's."
    yield "Falls: the passage is read anew without the evidence, where something of it is left."
    yield f"Readings in which a label is not felt and one of its mentions is: {result.contradictions}."


def _cells(name: str, share: Share) -> tuple[str, ...]:
    return (name, str(share.cases), show_figure(share.share, 3), show_interval(share.interval))
