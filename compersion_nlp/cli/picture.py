"""A corpus drawn: counts by label and stance, and a heat map of the labels that are felt together."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from compersion_nlp.cli.console import safe
from compersion_nlp.errors import BadInput
from compersion_nlp.labels import FELT

if TYPE_CHECKING:
    from compersion_nlp.corpus_checks import Description

PAGE_WIDTH = 110  # columns

# From nothing to half and more of a label's passages: backgrounds of a cell, light text on dark.
_SHADES = ((1, "on grey11"), (5, "on dark_blue"), (10, "on blue3"), (20, "on dark_magenta"), (35, "on deep_pink4"))
_HOTTEST = "bold on red3"


def draw(description: Description, console: Console) -> None:
    """Prints a description on a console."""
    console.print(
        safe(
            f"{description.name}: {description.passages} passages in {description.groups} groups, "
            f"{description.nothing_felt} with nothing felt; median {description.median_words:.0f} words, "
            f"longest {description.longest_words}"
        )
    )
    for title, counts in (
        ("kinds", description.kinds),
        ("manners", description.manners),
        ("lengths", description.lengths),
    ):
        console.print(safe(f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.items())))
    console.print(_stances(description), soft_wrap=False)
    console.print(_heat_map(description), soft_wrap=False)
    console.print()


def write_page(descriptions: Sequence[Description], path: Path) -> None:
    """Writes descriptions as one HTML page with all colours; raises BadInput if it cannot be written."""
    console = Console(record=True, width=PAGE_WIDTH, file=io.StringIO(), highlight=False, markup=False, emoji=False)
    for description in descriptions:
        draw(description, console)
    try:
        path.write_text(console.export_html(), "utf-8")
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror}.", "Name a file in a folder that is there."
        ) from None


def _stances(description: Description) -> Table:
    table = Table("label", *next(iter(description.stances.values())), box=SIMPLE_HEAD)
    for label, counts in description.stances.items():
        table.add_row(label, *(str(count) if count else "" for count in counts.values()))
    return table


def _heat_map(description: Description) -> Table:
    labels = list(description.stances)
    codes = short_codes(labels)
    both = {frozenset(pair): count for *pair, count in description.together}
    table = Table(
        title="felt together: of 100 passages that feel the row's label, so many feel the column's too",
        title_justify="left",
        box=None,
        padding=0,
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for label in labels:
        table.add_column(f"{codes[label]} ", justify="right", no_wrap=True, width=3)
    for row in labels:
        felt = description.stances[row][FELT]
        cells = [Text("") if row == column else _cell(both.get(frozenset((row, column)), 0), felt) for column in labels]
        table.add_row(f"{row} ({codes[row]}) ", *cells)
    return table


def _cell(together: int, felt: int) -> Text:
    percent = round(100 * together / felt) if felt else 0
    style = next((shade for limit, shade in _SHADES if percent < limit), _HOTTEST)
    return Text(f"{percent or '':>2} ", style=style)


def short_codes(labels: Sequence[str]) -> dict[str, str]:
    """Returns two letters for each label, no two alike: its first and the next one that is free.

    >>> short_codes(["compersion", "confusion"])
    {'compersion': 'co', 'confusion': 'cn'}
    """
    codes: dict[str, str] = {}
    for label in labels:
        free = (label[0] + letter for letter in label[1:] if label[0] + letter not in codes.values())
        codes[label] = next(free, label)
    return codes
