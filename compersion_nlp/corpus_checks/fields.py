"""Checks of single records, and of what may not repeat: ids, fields, groups across files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compersion_nlp.corpus import KINDS, MANNERS
from compersion_nlp.corpus_checks.placed import Placed, Problem


def repeated_ids(placed: Sequence[Placed]) -> Iterator[Problem]:
    """Yields passages whose id is taken already, in any of the files."""
    first: dict[str, Placed] = {}
    for item in placed:
        earlier = first.setdefault(item.annotation.id, item)
        if earlier is not item:
            yield Problem("ids", item.where, f"the id {item.annotation.id!r} is taken by {earlier.where}")


def odd_fields(placed: Sequence[Placed], with_texts: bool = True) -> Iterator[Problem]:
    """Yields blank fields, and kinds and manners that there are not; ``with_texts``: texts are looked at too."""
    keys = ("id", "text", "group") if with_texts else ("id", "group")
    for item in placed:
        annotation = item.annotation
        empty = [key for key in keys if not getattr(annotation, key).strip()]
        if empty:
            yield Problem("empty", item.where, f"{' and '.join(empty)} must not be blank")
        if annotation.kind not in KINDS:
            yield Problem("kind", item.where, f"kind is {annotation.kind!r}; allowed: {', '.join(KINDS)}")
        if annotation.manner is not None and annotation.manner not in MANNERS:
            yield Problem("manner", item.where, f"manner is {annotation.manner!r}; allowed: {', '.join(MANNERS)}")


def split_groups(placed: Sequence[Placed]) -> Iterator[Problem]:
    """Yields groups that have passages in two files."""
    first: dict[str, str] = {}
    told: set[tuple[str, str]] = set()
    for item in placed:
        group, file = item.annotation.group, item.file
        if first.setdefault(group, file) != file and (group, file) not in told:
            told.add((group, file))
            yield Problem("groups", item.where, f"the group {group!r} also has passages in {first[group]}")
