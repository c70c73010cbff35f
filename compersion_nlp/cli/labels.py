"""``compersion labels``: the scheme."""

from __future__ import annotations

from typing import Annotated

from rich.table import Table

from compersion_nlp.cli.console import JsonOption, out, print_json
from compersion_nlp.labels import SCHEME


def labels(json: Annotated[bool, JsonOption] = False) -> None:
    """Show the 23 labels and the six stances, and what each means.

    Example: compersion labels
    """
    if json:
        print_json(SCHEME)
        return
    table = Table("label", "the writer feels …", "not this, but", title="Labels", title_justify="left")
    for entry in SCHEME.labels.values():
        table.add_row(entry.name, entry.feels, entry.not_this)
    stances = Table("stance", "meaning", "example", title="Stances, strongest first", title_justify="left")
    for stance in SCHEME.stances.values():
        stances.add_row(stance.name, stance.means, stance.example)
    out.print(table, stances, sep="\n\n", soft_wrap=False)
