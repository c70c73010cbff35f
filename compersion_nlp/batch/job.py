"""A job and its identity: what must be the same for one run to go on where another stopped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from compersion_nlp import __version__
from compersion_nlp.errors import BadInput
from compersion_nlp.sinks import WriteOptions
from compersion_nlp.sources import ReadOptions, digest_inputs, stamp

CHUNK_SIZE = 512  # passages: usually less than a megabyte, and a tenth of a second for a fast model
LARGEST_CHUNK = 1_000_000

RESUME = "What is done is kept: go on with --resume, or start anew with --overwrite."


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be labelled, with what, and to where.

    ``model`` is a bundle's name or path, None for the default. With ``explain``, readings hold
    stances, mentions and evidence. With ``strict``, a row that cannot be read stops the job.
    ``resume`` goes on with an unfinished job, and starts one where there is none; ``overwrite``
    discards what is there. A chunk holds ``chunk_size`` passages, or fewer where they are very long.

    A string that begins with a protocol of fsspec, as ``s3://bucket/posts.csv``, is a path in a
    bucket or on another machine. ``work_folder`` is where a job with such paths keeps what it has
    fetched and not yet put in place: by default beside an output on this machine, and in the current
    directory for any other.
    """

    inputs: tuple[str | Path, ...]
    output: str | Path
    model: str | Path | None = None
    read: ReadOptions = ReadOptions()
    write: WriteOptions = WriteOptions()
    chunk_size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_CHUNK)] = CHUNK_SIZE
    engine: str = "serial"
    workers: int = 1
    address: str | None = None
    explain: bool = True
    strict: bool = False
    resume: bool = False
    overwrite: bool = False
    work_folder: Path | None = None


class LocalJob(Job, frozen=True, kw_only=True):
    """A job whose files are all on this machine, fetched before if they have to be.

    ``names`` are what the inputs are called in the job's identity; without them, by their file names.
    """

    inputs: tuple[Path, ...]
    output: Path
    names: tuple[str, ...] = ()


class InputDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An input by its name and its contents."""

    name: str
    sha256: str


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that the parts of a job depend on.

    The engine, the number of workers and the form of the output are not in it: they change how
    readings are made and written, and not what they say.
    """

    inputs: tuple[InputDigest, ...]
    model: str
    bundle: str
    read: ReadOptions
    chunk_size: int
    explain: bool
    package: str = __version__

    def change(self, now: Identity) -> str | None:
        """Returns a sentence on the first difference between this job and one of now, or None."""
        if len(self.inputs) != len(now.inputs):
            return f"the number of inputs was {len(self.inputs)} when the job began, now it is {len(now.inputs)}."
        for was, became in zip(self.inputs, now.inputs, strict=True):
            if was.name != became.name:
                return f"an input was {was.name} when the job began, now it is {became.name}."
            if was.sha256 != became.sha256:
                return (
                    f"the input changed: {was.name} was sha256 {was.sha256[:12]}... when the job began, "
                    f"now it is {became.sha256[:12]}..."
                )
        if self.bundle != now.bundle:
            return (
                f"the model changed: it was {self.model} ({self.bundle[:12]}...) when the job began, "
                f"now it is {now.model} ({now.bundle[:12]}...)."
            )
        for key in ("chunk_size", "explain", "package"):
            if getattr(self, key) != getattr(now, key):
                return f"{key} was {getattr(self, key)} when the job began, now it is {getattr(now, key)}."
        for key in self.read.__struct_fields__:
            if (before := getattr(self.read, key)) != (after := getattr(now.read, key)):
                return f"the reading option {key} was {before!r} when the job began, now it is {after!r}."
        return None


def show_path(path: str | Path) -> str:
    """Returns a path as text that can be written; bytes of a name that are not UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class Inputs:
    """The inputs of a job, and how their files were when it began."""

    def __init__(self, paths: Sequence[Path], names: Sequence[str] = ()) -> None:
        self.paths = tuple(paths)
        self._names = tuple(names) or tuple(show_path(path.name) for path in self.paths)
        self._stamp = stamp(self.paths)

    def digests(self) -> tuple[InputDigest, ...]:
        """Reads every input and returns its digest."""
        return tuple(
            InputDigest(name, digest_inputs([path])) for name, path in zip(self._names, self.paths, strict=True)
        )

    def check(self) -> None:
        """Raises BadInput if a file is not as it was when the job began."""
        if odd := sorted({path for path, _, _ in {*self._stamp} ^ {*stamp(self.paths)}}):
            raise BadInput(
                f"The input changed while the job was reading it: {odd[0]}.",
                "Start anew with --overwrite; --resume goes on only if the file is again as it was.",
            )
