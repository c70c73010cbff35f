"""Names of the input columns in an output that has columns of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable


def rename_columns(names: Iterable[str], reserved: Collection[str], fold: Callable[[str], str] = str) -> dict[str, str]:
    """Returns the output name of every input column.

    A name that is reserved, or equal to one before it, becomes ``input_<name>``, and where that is
    taken too ``input_<name>_2`` and so on. ``fold`` maps names that the format takes for equal to
    one string.

    >>> rename_columns(["id", "felt"], {"felt"})
    {'id': 'id', 'felt': 'input_felt'}
    """
    names = tuple(names)
    taken = {fold(name) for name in reserved}
    # Names that can stay as they are come first, so that none is displaced by a renamed one.
    kept: dict[str, str] = {}
    for name in names:
        if fold(name) not in taken:
            taken.add(fold(name))
            kept[name] = name
    for name in names:
        if name not in kept:
            kept[name] = _free(f"input_{name}", taken, fold)
            taken.add(fold(kept[name]))
    return {name: kept[name] for name in names}


def _free(base: str, taken: Collection[str], fold: Callable[[str], str]) -> str:
    name, turn = base, 2
    while fold(name) in taken:
        name, turn = f"{base}_{turn}", turn + 1
    return name
