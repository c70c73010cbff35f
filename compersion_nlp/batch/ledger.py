"""The work folder of an unfinished job: its identity, its parts, and the ledger of what is done.

A part is written beside its name, synced and renamed; only then does its line enter the ledger,
which is synced too. So a line in the ledger stands for a part on the disk, whenever the power goes.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from compersion_nlp.batch.job import Identity
from compersion_nlp.batch.reader import Entry, Part, Stored, read_part
from compersion_nlp.errors import BadInput

SUFFIX = ".job"
IDENTITY, LEDGER, PARTS, REJECTED, LOCK = "job.json", "ledger.jsonl", "parts", "rejected.jsonl", "lock"
BEGUN = "begun"


class WorkFolder:
    """The folder ``<OUT>.job``; a job in it is unfinished as long as its ``job.json`` is there."""

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(output.name + SUFFIX)
        self._identity = self.path / IDENTITY
        self._begun = self.path / BEGUN

    @property
    def unfinished(self) -> bool:
        """Whether there is a job to resume."""
        return self._identity.exists()

    def begin(self, identity: Identity) -> None:
        """Empties the folder for a job of this identity."""
        self.clear()
        (self.path / PARTS).mkdir()
        write_synced(self._identity, msgspec.json.encode(identity))

    def begin_chunk(self, number: int) -> None:
        """Notes that this very process is about to read a chunk."""
        self._begun.write_bytes(b"%d" % number)

    @contextmanager
    def ending_chunks(self) -> Iterator[None]:
        """Notes at the end of the block, however it ends, that this process has come out of whatever it was reading."""
        try:
            yield
        finally:
            self._begun.unlink(missing_ok=True)

    def suspect(self) -> int | None:
        """Returns the chunk that a process was reading when it ended without a word, or None."""
        try:
            return int(self._begun.read_bytes())
        except (FileNotFoundError, ValueError):  # ValueError: it was killed as it wrote the note
            return None

    def identity(self) -> Identity:
        """Returns what ``begin`` was given; raises BadInput if this version cannot read it."""
        try:
            return msgspec.json.decode(self._identity.read_bytes(), type=Identity)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput(
                f"{self._identity} is not the identity of a job of this version: {error}.",
                "Start anew with --overwrite.",
            ) from None

    def ledger(self) -> Ledger:
        """Opens the ledger, with the chunks that are done; a part that is missing or damaged is not."""
        return Ledger(self.path)

    def clear(self) -> None:
        """Empties the folder, the identity first: without it, what a kill leaves behind is no job.

        Raises BadInput if anything is in the folder that a job does not put there.
        """
        own = {IDENTITY, f"{IDENTITY}.tmp", LEDGER, PARTS, REJECTED, LOCK, BEGUN}
        if strange := sorted({path.name for path in self.path.iterdir()} - own):
            raise BadInput(
                f"{self.path} is in the way: it holds {strange[0]!r}, which no job puts there.",
                "Move that folder, or choose another output.",
            )
        self._identity.unlink(missing_ok=True)
        shutil.rmtree(self.path / PARTS, ignore_errors=True)
        for name in own - {PARTS, LOCK}:
            (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and holds it for this process; removes it at the end, unless a job is unfinished.

        Raises BadInput if another process works in it.
        """
        self.path.mkdir(exist_ok=True)
        lock = self.path / LOCK
        with lock.open("a") as file:
            if not (_lock(file) and _is_at(file, lock)):
                raise BadInput(f"Another process is working on {self.path}.", "Wait until it ends, or stop it.")
            try:
                yield
            finally:
                if not self.unfinished:
                    if sys.platform == "win32":
                        file.close()  # which it must be to be removed; elsewhere it is held as long as it has its name
                    lock.unlink(missing_ok=True)
                    with suppress(OSError):  # what is not a job's is not ours to remove
                        self.path.rmdir()


class Ledger:
    """What is done of a job, a chunk a line; a context manager that closes its file."""

    def __init__(self, folder: Path) -> None:
        self._parts = folder / PARTS
        path = folder / LEDGER
        self._entries: dict[int, Entry] = {}
        self._columns: dict[bytes, dict[str, list[str]]] = {}
        for entry in _entries(path):
            if self._sound(entry):
                self._keep(entry)
        self._file = path.open("ab")
        sync_folder(folder)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, chunk: int) -> Entry | None:
        """Returns the entry of a chunk that is done, or None."""
        return self._entries.get(chunk)

    def entries(self) -> list[Entry]:
        """Returns all entries in the order of the chunks."""
        return [self._entries[chunk] for chunk in sorted(self._entries)]

    def add(self, part: Part) -> Entry:
        """Writes a part, then its line; returns the line once both are on the disk."""
        entry = part.entry
        write_synced(self._part(entry.chunk), part.data)
        self._file.write(msgspec.json.encode(entry) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._keep(entry)
        return entry

    def read(self, chunk: int) -> Stored:
        """Returns what the part of a chunk that is done holds."""
        return read_part(self._part(chunk).read_bytes())

    def _keep(self, entry: Entry) -> None:
        # Most chunks of an input have the same columns: one copy of them is enough for all.
        columns = self._columns.setdefault(msgspec.json.encode(entry.columns), entry.columns)
        self._entries[entry.chunk] = msgspec.structs.replace(entry, columns=columns)

    def _part(self, chunk: int) -> Path:
        return self._parts / f"{chunk:06d}.msgpack"

    def _sound(self, entry: Entry) -> bool:
        part = self._part(entry.chunk)
        return part.is_file() and sha256(part.read_bytes()).hexdigest() == entry.sha256


def _entries(path: Path) -> Iterator[Entry]:
    """Yields the ledger's sound lines, having cut off a last line that was torn by a kill."""
    if not path.exists():
        return
    whole = path.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    if kept != whole:
        os.truncate(path, len(kept))
    for line in kept.splitlines():
        try:
            yield msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # a line that the disk has damaged says nothing: its chunk is done again


def write_synced(path: Path, data: bytes) -> None:
    """Writes a file beside its name and renames it into place, with everything on the disk."""
    beside = path.with_name(path.name + ".tmp")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Puts the names in a folder on the disk; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_at(file: IO[str], path: Path) -> bool:
    """Says whether an open file is still the one at ``path``; who held it before may have removed it."""
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def _lock(file: IO[str]) -> bool:
    """Locks an open file until it is closed or its process ends; returns False if another holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
