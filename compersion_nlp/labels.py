"""The label scheme: 23 feelings and six stances, read from ``labels.toml``.

>>> from compersion_nlp.labels import SCHEME
>>> len(SCHEME.labels), SCHEME.stance_names[0]
(23, 'felt')
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files

import msgspec

from compersion_nlp.errors import UnknownLabel

FELT = "felt"  # the one stance that makes a label of the passage


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feeling: what the writer feels, typical signs, and the neighbour it is taken for."""

    feels: str
    signs: tuple[str, ...]
    not_this: str
    name: str = ""


class Stance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way in which a feeling is on the page."""

    means: str
    example: str
    name: str = ""


class Scheme(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Labels and stances in their fixed order."""

    version: int
    labels: dict[str, Label]
    stances: dict[str, Stance]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Label names in scheme order."""
        return tuple(self.labels)

    @cached_property
    def stance_names(self) -> tuple[str, ...]:
        """Stance names in order of precedence, strongest first."""
        return tuple(self.stances)

    @cached_property
    def _precedence(self) -> dict[str, int]:
        return {name: rank for rank, name in enumerate(self.stances)}

    def strongest(self, stances: Iterable[str]) -> str:
        """Returns the stance that wins where a passage gives one label several.

        >>> SCHEME.strongest(["general", "denied"])
        'denied'
        """
        return min(stances, key=self._precedence.__getitem__)

    def check_label(self, name: str) -> str:
        """Returns ``name`` if it is a label; raises UnknownLabel with the nearest names if not."""
        if name not in self.labels:
            near = get_close_matches(name, self.names, n=3)
            hint = f"Did you mean {', '.join(near)}?" if near else f"Labels: {', '.join(self.names)}."
            raise UnknownLabel(f"There is no label {name!r} in the scheme.", hint)
        return name

    def check_stance(self, name: str) -> str:
        """Returns ``name`` if it is a stance; raises UnknownLabel with all names if not."""
        if name not in self.stances:
            raise UnknownLabel(f"There is no stance {name!r}.", f"Stances: {', '.join(self.stance_names)}.")
        return name


def _read_scheme() -> Scheme:
    raw = tomllib.loads(files("compersion_nlp").joinpath("labels.toml").read_text("utf-8"))
    for table in (raw["labels"], raw["stances"]):
        for name, entry in table.items():
            entry["name"] = name
    return msgspec.convert(raw, Scheme)


SCHEME = _read_scheme()
