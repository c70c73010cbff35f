"""Files in buckets and on other machines, by the protocols of fsspec: told, fetched and put in place whole."""

from __future__ import annotations

import copy
import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import msgspec

from compersion_nlp.batch.addresses import address_part, show_url
from compersion_nlp.errors import BadInput, CompersionError
from compersion_nlp.sources.folder import ENTRY_SUFFIXES

# Whose uploads are seen when they are whole, and not before.
_ATOMIC = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "tos"}
# What tells two states of a file of the same size apart; each protocol has its own.
_SIGNS = (
    "etag",
    "ETag",
    "generation",
    "version_id",
    "VersionId",
    "md5Hash",
    "content_md5",
    "Content-MD5",
    "crc32c",
    "CRC",
    "blob_id",
    "sha",
    "mtime",
    "LastModified",
    "Last-Modified",
    "last_modified",
    "updated",
    "modified",
    "modify",
    "date_time",
    "created",
)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AGAIN = "Check the network, the address and your credentials, then go on with --resume."
LONGEST_REASON = 300


class Stat(msgspec.Struct, frozen=True):
    """The state of a remote file: another one, or one without signs, means that it may have changed."""

    size: int | None
    signs: dict[str, str]


class Remote:
    """A file or folder of a remote file system. ``shown`` is its address as it may be written down.

    Whatever goes wrong is raised as BadInput, with no credential in it.
    """

    def __init__(self, url: str) -> None:
        self.shown = show_url(url)
        self._discreet = self.shown != url
        self._fs, self._path = self._open(url)
        self._fs.invalidate_cache()  # what an earlier job of this process was told

    @property
    def name(self) -> str:
        """The last part of the address; empty for one that ends in a slash."""
        return address_part(self.shown).rpartition("/")[2]

    def beside(self, suffix: str) -> Self:
        """Returns the path whose name has ``suffix`` after this one's."""
        other = copy.copy(self)
        named = address_part(self.shown)
        other.shown = self.shown.replace(named, named + suffix, 1)
        other._path = self._path + suffix
        return other

    def is_at(self, other: Remote) -> bool:
        """Says whether both are the same path."""
        return self.shown == other.shown or (self._fs == other._fs and self._path == other._path)

    def exists(self) -> bool:
        """Says whether there is a file; raises BadInput for a folder, or if that cannot be told."""
        with self._saying("read"):
            try:
                info = self._fs.info(self._path)
            except FileNotFoundError:  # and nothing else: fs.exists takes a broken network for a missing file
                return False
        if info.get("type") == "directory":
            raise BadInput(f"The output {self.shown} is a folder.", "Name a file.")
        return True

    def stats(self) -> dict[str, Stat]:
        """Returns the state of a file, under an empty name, or of all entries of a folder by relative path."""
        with self._saying("read"):
            self._fs.invalidate_cache()
            info = self._fs.info(self._path)
            if info.get("type") != "directory":
                return {"": _stat(info)}
            found = self._fs.find(self._path, detail=True)
            return {
                self._inner(path): _stat(info)
                for path, info in sorted(found.items())
                if path.lower().endswith(ENTRY_SUFFIXES)
            }

    def fetch(self, stats: Mapping[str, Stat], target: Path) -> None:
        """Fetches the files of these states to ``target``, or below it; raises BadInput unless all came whole."""
        local = [target / name if name else target for name in stats]
        with self._saying("fetched"):
            for folder in {path.parent for path in local}:
                folder.mkdir(parents=True, exist_ok=True)
            if stats:
                self._fs.get([self._outer(name) for name in stats], [os.fspath(path) for path in local])
            for path, stat in zip(local, stats.values(), strict=True):
                if stat.size not in (None, size := path.stat().st_size):
                    raise OSError(f"{size:,} of {stat.size:,} bytes came")
        if self.stats() != stats:
            raise BadInput(f"{self.shown} changed while it was fetched.", "Run the command again.")

    def read(self) -> bytes | None:
        """Returns what is in a small file, or None if there is none."""
        with self._saying("read"):
            try:
                return bytes(self._fs.cat_file(self._path))
            except FileNotFoundError:
                return None

    def check_writable(self) -> None:
        """Raises BadInput where nothing can be written."""
        with self._saying("written"):
            self._fs.pipe_file(self._part, b"")
        with suppress(Exception):  # who may write need not be allowed to remove
            self._fs.rm_file(self._part)

    def put(self, local: Path) -> None:
        """Puts a copy of a local file in place, whole or not at all."""
        with self._saying("written"):
            if not _ATOMIC.isdisjoint(_protocols(self._fs)):
                self._fs.put_file(os.fspath(local), self._path)
                return
            try:
                self._fs.put_file(os.fspath(local), self._part)
                if (size := self._fs.info(self._part)["size"]) != local.stat().st_size:
                    raise OSError(f"only {size:,} bytes arrived")
                self._move(self._part)
            except BaseException:
                with suppress(Exception):
                    self._fs.rm_file(self._part)
                raise

    def remove(self) -> None:
        """Removes the file if there is one."""
        if self.exists():
            with self._saying("removed"):
                self._fs.rm_file(self._path)

    def _move(self, part: str) -> None:
        try:
            self._fs.mv(part, self._path)
        except Exception:
            if not self.exists():
                raise
            self._fs.rm_file(self._path)  # SFTP and FTP do not put one file in the place of another
            self._fs.mv(part, self._path)

    @property
    def _part(self) -> str:
        folder, slash, name = self._path.rpartition("/")
        return f"{folder}{slash}.compersion-{blake2b(name.encode(), digest_size=8).hexdigest()}.part"

    def _inner(self, path: str) -> str:
        """Returns the path of an entry relative to this folder; what it is called must not lead out of ours."""
        name = path.removeprefix(self._path.rstrip("/") + "/")
        odd = name.startswith("/") or not {"", ".", ".."}.isdisjoint(name.split("/"))
        if odd or (os.name == "nt" and not {":", "\\"}.isdisjoint(name)):
            raise BadInput(f"{self.shown} holds {name!r}, which cannot be the name of a file.", "Rename it.")
        return name

    def _outer(self, name: str) -> str:
        return "/".join(part for part in (self._path.rstrip("/"), name) if part) if name else self._path

    def _open(self, url: str) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # only here: who labels local files need not wait for it

        with self._saying("opened"):
            try:
                fs, path = url_to_fs(url)
            except ImportError as error:
                package = (getattr(error.__cause__, "name", None) or error.name or str(error)).partition(".")[0]
                raise BadInput(
                    f"{self.shown} needs the package {package}, which is not installed.",
                    f"Install it with: pip install {package}",
                ) from None
            except ValueError as error:
                raise BadInput(
                    f"{self.shown} cannot be opened: {self._reason(error)}.",
                    "Check the address; it must begin with a protocol of fsspec, as s3:// or gs://.",
                ) from None
        return fs, path

    @contextmanager
    def _saying(self, done: str) -> Iterator[None]:
        """Turns whatever is raised inside into BadInput; each protocol has errors of its own."""
        try:
            yield
        except CompersionError:
            raise
        except FileNotFoundError:
            if done == "written":
                raise BadInput(f"{self.shown} cannot be written: no such bucket or folder.", "Make it first.") from None
            raise BadInput(f"{self.shown} does not exist.", "Check the address.") from None
        except Exception as error:
            full = isinstance(error, OSError) and error.errno in _FULL
            hint = "Free some space, then go on with --resume." if full else _AGAIN
            raise BadInput(f"{self.shown} could not be {done}: {self._reason(error)}.", hint) from None

    def _reason(self, error: Exception) -> str:
        """Returns what was raised, without its message where the address has a credential that it may quote."""
        if self._discreet or not str(error):
            return type(error).__name__
        return f"{type(error).__name__}: {show_url(' '.join(str(error).split()))[:LONGEST_REASON]}"


def _stat(info: Mapping[str, Any]) -> Stat:
    return Stat(info.get("size"), {sign: str(info[sign]) for sign in _SIGNS if info.get(sign) is not None})


def _protocols(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
