"""Plugins by name: scorers, fitters and engines, from entry points.

The built-in ones enter by the same entry points as a stranger's. Names are listed without
importing anything, so one broken plugin is an error for its own name only.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from compersion_nlp.errors import BadConfig, CompersionError


class Registry:
    """The plugins of one kind, by name."""

    def __init__(self, group: str, noun: str) -> None:
        self.group = group
        self.noun = noun

    def names(self) -> tuple[str, ...]:
        """Returns the names of all plugins, sorted; raises BadConfig if two claim one name."""
        return tuple(sorted(_unique(entry_points(group=self.group), self.noun)))

    def get(self, name: str) -> Any:
        """Imports and returns the plugin called ``name``.

        Raises BadConfig if there is none, or if two packages claim the name, and MissingExtra if
        it needs a package that is not installed.
        """
        found = _unique(entry_points(group=self.group), self.noun)
        if name not in found:
            raise BadConfig(f"There is no {self.noun} {name!r}.", f"Available: {', '.join(sorted(found))}.")
        try:
            return found[name].load()
        except CompersionError:
            raise
        except Exception as error:
            raise BadConfig(
                f"The {self.noun} {name!r} ({found[name].value}) could not be imported: {error}",
                f"Mend or uninstall the package that provides it: {_provider(found[name])}.",
            ) from error


def _unique(points: Iterable[EntryPoint], noun: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in points:
        first = found.setdefault(point.name, point)
        if first.value != point.value:
            raise BadConfig(
                f"Two packages register the {noun} {point.name!r}: {_provider(first)} and {_provider(point)}.",
                "Uninstall one of them.",
            )
    return found


def _provider(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


SCORERS = Registry("compersion_nlp.scorers", "scorer")
FITTERS = Registry("compersion_nlp.fitters", "fitter")
ENGINES = Registry("compersion_nlp.engines", "engine")
