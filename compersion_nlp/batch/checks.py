"""What is checked of a job before anything is read or written."""

from __future__ import annotations

from pathlib import Path

from compersion_nlp.batch.account import account_path, rejected_path
from compersion_nlp.batch.job import LARGEST_CHUNK, RESUME, LocalJob
from compersion_nlp.batch.ledger import WorkFolder
from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.sources.streams import readable


def check(job: LocalJob) -> None:
    """Raises BadConfig or BadInput for a job that cannot work, whatever its inputs hold."""
    if not 1 <= job.chunk_size <= LARGEST_CHUNK:
        raise BadConfig(f"The chunk size is {job.chunk_size}.", f"It is 1 to {LARGEST_CHUNK:,}.")
    if job.resume and job.overwrite:
        raise BadConfig("Both resume and overwrite are asked for.", "Choose one: go on, or start anew.")
    _check_output(job.output)
    for path in job.inputs:
        with readable(path):
            own = _own_file(path, job.output) if path.exists() else None
        if own is not None:
            raise BadInput(f"The output {own} is an input.", "Choose another output.")


def _check_output(output: Path) -> None:
    try:
        if not output.parent.is_dir():
            raise BadInput(f"The folder {output.parent} does not exist.", "Make it, or choose another output.")
        if output.is_dir():
            raise BadInput(f"The output {output} is a folder.", "Name a file.")
        for path in (rejected_path(output), WorkFolder(output).path / "any"):  # names may be too long, folders closed
            path.exists()
    except OSError as error:
        raise BadInput(f"The output {output} cannot be written: {error.strerror}.", "Choose another output.") from None


def _own_file(path: Path, output: Path) -> Path | None:
    """Returns what of a job's own, which it replaces or removes, ``path`` is or lies in."""
    for own in (output, account_path(output), rejected_path(output)):
        if own.exists() and path.samefile(own):
            return own
    work = WorkFolder(output).path
    return work if path.resolve().is_relative_to(work.resolve()) else None


def check_way(job: LocalJob, work: WorkFolder) -> None:
    """Raises BadInput if an output or an unfinished job is in the way of one that is to begin."""
    if job.resume or job.overwrite:
        return
    if work.unfinished:
        raise BadInput(f"There is an unfinished job in {work.path}.", RESUME)
    if job.output.exists():
        raise BadInput(f"{job.output} exists.", "Replace it with --overwrite, or choose another output.")
