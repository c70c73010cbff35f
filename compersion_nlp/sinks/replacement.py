"""Writing a file beside its target and putting it in place at the end, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from compersion_nlp.errors import BadInput

_HINTS = {
    errno.ENOSPC: "The disk is full: free some space, or write to another disk.",
    errno.EDQUOT: "Your quota is used up: free some space, or write to another disk.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EPERM: "Choose a folder that you may write to.",
    errno.EROFS: "Choose a folder that you may write to.",
    errno.ENOENT: "Create the folder first.",
    errno.EFBIG: "Write to a disk that allows larger files, or split the input.",
}


def unwritable(path: Path, error: OSError | sqlite3.Error) -> BadInput:
    """Returns the error for the system's, or SQLite's, refusal to write ``path``."""
    if isinstance(error, OSError):
        hint = _HINTS.get(error.errno or 0, "Check the path and the disk.")
        return BadInput(f"{path} could not be written: {error.strerror or error}.", hint)
    hint = _HINTS[errno.ENOSPC] if "full" in str(error) else "Check the path and the disk, or write another format."
    return BadInput(f"{path} could not be written: {error}.", hint)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Raises what the system, or SQLite, refuses inside as BadInput."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise unwritable(path, error) from error


class Replacement:
    """A new file beside ``target``. Until ``commit`` whatever stands at the target is left as it is.

    Its name follows from the target's, so that the next run replaces what a killed one left behind.
    """

    def __init__(self, target: Path) -> None:
        target = Path(os.path.realpath(target))  # behind a link, the file it leads to is replaced
        if target.is_dir():
            raise BadInput(f"{target} is a folder.", "Name a file in it.")
        if target.exists() and not target.is_file():
            raise BadInput(f"{target} is a pipe or device.", "Name a file; an output is put in place whole.")
        for rest in (target.with_name(target.name + suffix) for suffix in ("-wal", "-journal")):
            if rest.exists():
                raise BadInput(f"{target} is in use: {rest.name} stands beside it.", "Close the program that has it.")
        self._target = target
        self.path = target.with_name(f".compersion-{blake2b(os.fsencode(target.name), digest_size=8).hexdigest()}.part")
        with writable(target):
            self.path.unlink(missing_ok=True)
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            if target.exists():
                shutil.copymode(target, self.path)

    def commit(self) -> None:
        """Puts the file in place, synced to the disk with its name."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(self._target)
        if os.name == "posix":  # elsewhere a folder cannot be opened, nor need be
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Removes the file."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
