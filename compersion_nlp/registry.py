"""Plugins by name: scorers, fitters and engines, from entry points.

The built-in ones enter by the same entry points as a stranger's. Names are listed without
importing anything, so one broken plugin is an error for its own name only.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from compersion_nlp.errors import BadConfig, CompersionError


class Registry:
    """The plugins of one kind, by name."""

    def __init__(self, group: str, noun: str) -> None:
        self.group = group
        self.noun = noun

    def names(self) -> tuple[str, ...]:
        """Returns the names of all plugins, sorted."""
        return tuple(sorted(entry_points(group=self.group).names))

    def get(self, name: str) -> Any:
        """Imports and returns the plugin called ``name``.

        Raises BadConfig if there is none, or if two packages claim the name, and MissingExtra if
        it needs a package that is not installed.
        """
        points = list(entry_points(group=self.group, name=name))
        if not points:
            raise BadConfig(f"There is no {self.noun} {name!r}.", f"Available: {', '.join(self.names())}.")
        point = self._only(points)
        try:
            return point.load()
        except CompersionError:
            raise
        except Exception as error:
            raise BadConfig(
                f"The {self.noun} {name!r} ({point.value}) could not be imported: {error}",
                f"Mend or uninstall the package that provides it: {_provider(point)}.",
            ) from error

    def _only(self, points: list[EntryPoint]) -> EntryPoint:
        # One package can be found twice, installed and on the path; the same value is the same plugin.
        first = points[0]
        for other in points[1:]:
            if other.value != first.value:
                raise BadConfig(
                    f"Two packages register the {self.noun} {first.name!r}: {_provider(first)} and {_provider(other)}.",
                    "Uninstall one of them.",
                )
        return first


def _provider(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


SCORERS = Registry("compersion_nlp.scorers", "scorer")
FITTERS = Registry("compersion_nlp.fitters", "fitter")
ENGINES = Registry("compersion_nlp.engines", "engine")
