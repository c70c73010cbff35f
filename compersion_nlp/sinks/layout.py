"""What the rows of an output consist of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from compersion_nlp.sinks.flat import flat_columns, reserved_columns
from compersion_nlp.sinks.naming import rename_columns
from compersion_nlp.sources.columns import Kind


class Layout(msgspec.Struct, frozen=True):
    """The input columns with their kinds, their ``names`` in the output, and the flat reading's columns."""

    columns: tuple[tuple[str, Kind], ...]
    names: dict[str, str]
    labels: tuple[str, ...]
    explained: bool
    flat: dict[str, Kind]

    @property
    def renamed(self) -> dict[str, str]:
        """Input columns whose name in the output is another, old name to new."""
        return {name: shown for name, shown in self.names.items() if name != shown}


def lay_out(
    columns: Mapping[str, Kind],
    labels: Sequence[str],
    explained: bool,
    fold: Callable[[str], str] = str,
) -> Layout:
    """Returns the layout of an output with flat readings; ``fold`` is that of ``rename_columns``."""
    names = rename_columns(columns, reserved_columns(labels), fold)
    return Layout(tuple(columns.items()), names, tuple(labels), explained, flat_columns(labels, explained))
