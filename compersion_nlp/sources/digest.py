"""Tells whether inputs are still the same: exactly by their bytes, cheaply by their times."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from compersion_nlp.errors import BadInput
from compersion_nlp.sources.folder import find_entries
from compersion_nlp.sources.streams import readable

Stamp = tuple[tuple[str, int, int], ...]


def digest_inputs(paths: Sequence[Path]) -> str:
    """Returns the sha256 (hex) over the bytes of all inputs, in order.

    The name of a file does not count, but the names within a folder do. What SQLite keeps beside a
    database, in its ``-wal`` file, counts as part of it.
    """
    total = hashlib.sha256()
    for path in paths:
        total.update(b"input\n")
        for name, file in _files(path):
            try:
                with readable(file), file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            except BadInput:
                if not path.is_dir():
                    raise
                digest = "unreadable"  # in a folder, that is one rejected row
            total.update(f"{len(name)} {name} {digest}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def stamp(paths: Sequence[Path]) -> Stamp:
    """Returns path, size and time of change (ns) of all files: another stamp means that inputs changed."""
    stamped = []
    for path in paths:
        for _, file in _files(path):
            with readable(file):
                status = file.stat()
            stamped.append((str(file), status.st_size, status.st_mtime_ns))
    return tuple(stamped)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        yield from ((name, path / name) for name in find_entries(path) if (path / name).is_file())
        return
    if not path.exists():
        raise BadInput(f"{path} does not exist.", "Check the path.")
    yield "", path
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:  # an empty one comes and goes with every reader
        yield "-wal", log
