"""Local copies of remote inputs, each with a record that says that it is whole and what it is a copy of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from compersion_nlp.batch.ledger import write_synced
from compersion_nlp.batch.remote import Remote, Stat


class Fetched(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a copy is of: an address, and the state that each file had there."""

    address: str
    files: dict[str, Stat]


def fetch_copy(remote: Remote, copy: Path) -> None:
    """Fetches ``remote`` to ``copy``, in a folder of its own, unless it is there and surely still the same.

    A copy without its record, which is written last, is none: it is fetched anew.
    """
    folder = copy.parent
    record = folder.with_name(f"{folder.name}.json")
    now = Fetched(remote.shown, remote.stats())
    if _read(record) == now and all(_is_same(stat, copy / name) for name, stat in now.files.items()):
        return
    record.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    (folder if "" in now.files else copy).mkdir(parents=True)
    try:
        remote.fetch(now.files, copy)
        for name in now.files:
            _sync(copy / name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    write_synced(record, msgspec.json.encode(now))


def rename_sources(rejected: Path, names: Mapping[Path, str]) -> None:
    """Puts the names of inputs in the place of their copies, as the source of rejected rows."""
    beside = rejected.with_name(f"{rejected.name}.tmp")
    with rejected.open("rb") as rows, beside.open("wb") as renamed:
        for line in rows:
            row = msgspec.json.decode(line)
            for copy, name in names.items():
                if Path(row["source"]).is_relative_to(copy):
                    row["source"] = name + row["source"].removeprefix(str(copy))
            renamed.write(msgspec.json.encode(row) + b"\n")
        renamed.flush()
        os.fsync(renamed.fileno())
    beside.replace(rejected)


def _read(record: Path) -> Fetched | None:
    try:
        return msgspec.json.decode(record.read_bytes(), type=Fetched)
    except (FileNotFoundError, UnicodeDecodeError, msgspec.DecodeError):
        return None


def _is_same(stat: Stat, path: Path) -> bool:
    return bool(stat.signs) and path.is_file() and stat.size in (None, path.stat().st_size)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
