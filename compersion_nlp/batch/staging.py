"""Jobs with paths in buckets: inputs are fetched first, and the output is put in place last, whole.

In between there is a local job on local files. All of it is in one folder, ``<OUT>-<digest>.staged``,
until the job is finished:

    inputs/N/<name>   input N as it was fetched: a file, or a folder of entries
    inputs/N.json     what was fetched, written once it is here whole
    <OUT>, <OUT>.job  the output and work folder of the local job, unless these are on this machine anyway
    finished/<OUT>    stands for an output that is in the bucket already, to be asked whether it is this job's
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from compersion_nlp.batch.account import Account, account_path, rejected_path, write_account
from compersion_nlp.batch.addresses import is_remote, local_path
from compersion_nlp.batch.checks import check, check_way
from compersion_nlp.batch.copies import fetch_copy, rename_sources
from compersion_nlp.batch.job import RESUME, Job, LocalJob, show_path
from compersion_nlp.batch.ledger import WorkFolder
from compersion_nlp.batch.remote import Remote
from compersion_nlp.errors import BadInput, CompersionError, Interrupted
from compersion_nlp.sinks import FORMATS
from compersion_nlp.sources.formats import format_of

INPUTS, FINISHED, LOCK = "inputs", "finished", "staging"


def run_staged(job: Job, run: Callable[[LocalJob], Account]) -> Account:
    """Runs a job, on copies where its paths are remote; returns the account, with the paths that the job names."""
    if any(map(is_remote, (*job.inputs, job.output))):
        return _Staged(job).complete(run)
    return run(_localise(job, [local_path(path) for path in job.inputs], local_path(job.output)))


class _Staged:
    """The folder of a job with remote paths, and the job's way through it."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._output = Remote(str(job.output)) if is_remote(job.output) else None
        self._inputs = [Remote(str(path)) if is_remote(path) else local_path(path) for path in job.inputs]
        self.path = self._place()
        self._target = self.path / self._output.name if self._output else local_path(job.output)
        self._copies = [
            self.path / INPUTS / str(number) / (path.name or "folder") if isinstance(path, Remote) else path
            for number, path in enumerate(self._inputs)
        ]
        self._shown = {
            copy: path.shown for copy, path in zip(self._copies, self._inputs, strict=True) if isinstance(path, Remote)
        }

    def complete(self, run: Callable[[LocalJob], Account]) -> Account:
        """Fetches, runs and puts in place; the folder stays only while there is something to resume."""
        with self._resumable():
            try:
                self.path.mkdir(exist_ok=True)
            except FileNotFoundError:
                raise BadInput(f"The folder {self.path.parent} does not exist.", "Make it, or name another.") from None
            try:
                with WorkFolder(self.path / LOCK).locked():
                    account = self._complete(run)
                    self._clear()
            finally:
                with suppress(OSError):  # it is not empty
                    self.path.rmdir()
        return account

    def _complete(self, run: Callable[[LocalJob], Account]) -> Account:
        with self._keeping_copies():
            self._check()
            target = self._find_target()
            if self._job.overwrite:
                self._clear()
            for copy, path in zip(self._copies, self._inputs, strict=True):
                if isinstance(path, Remote):
                    fetch_copy(path, copy)
        standing = {target: self._output.shown} if self._output and target != self._target else {}
        with self._keeping_job(), _calling({**self._shown, **standing}):
            account = run(self._local_job(target))
            return account if standing else self._publish(account)

    def _check(self) -> None:
        """Raises before anything is fetched what the local job would, and an output that is an input."""
        job = self._local_job(self._target)
        with _calling({self._target: self._output.shown} if self._output else {}):
            check(job)
            format_of(self._target, job.write.format, FORMATS)
        if self._output is None:
            check_way(job, WorkFolder(self._target))
        for own in (self._output, self._beside(account_path), self._beside(rejected_path)) if self._output else ():
            if any(isinstance(path, Remote) and path.is_at(own) for path in self._inputs):
                raise BadInput(f"The output {own.shown} is an input.", "Choose another output.")

    def _find_target(self) -> Path:
        """Returns where the local job is to write; a finished output that is to be resumed has a place of its own.

        Raises BadInput if an output or an unfinished job is in the way, or nothing can be written there.
        """
        if self._output is None:
            return self._target
        if self._unfinished and not self._job.overwrite:
            if not self._job.resume:
                raise BadInput(f"There is an unfinished job in {self.path}.", RESUME)
            return self._target
        if self._job.overwrite or not self._output.exists():
            self._output.check_writable()
            return self._target
        if not self._job.resume:
            raise BadInput(f"{self._output.shown} exists.", "Replace it with --overwrite, or choose another output.")
        if (account := self._beside(account_path).read()) is None:
            raise BadInput(f"{self._output.shown} has no account.", "Label it again with --overwrite.")
        standing = self.path / FINISHED / self._target.name
        standing.parent.mkdir(exist_ok=True)
        standing.touch()
        account_path(standing).write_bytes(account)
        return standing

    def _publish(self, account: Account) -> Account:
        """Puts the output in place with what belongs to it, the account last; returns the account as it is there."""
        rejected = rejected_path(self._target)
        if len(self._inputs) > 1 and rejected.exists():
            rename_sources(rejected, self._shown)
        if self._output is None:
            return account
        there = self._beside(rejected_path)
        account = msgspec.structs.replace(
            account, output=self._output.shown, rejected_file=there.shown if account.rejected_file else None
        )
        write_account(account, self._target)
        if account.rejected_file:
            there.put(rejected)
        else:
            there.remove()
        self._output.put(self._target)
        self._beside(account_path).put(account_path(self._target))
        return account

    def _place(self) -> Path:
        output = self._output or local_path(self._job.output)
        address = output.shown if isinstance(output, Remote) else os.path.abspath(output)  # noqa: PTH100
        if not output.name:
            raise BadInput(f"The output {address} is a folder.", "Name a file.")
        beside = Path() if isinstance(output, Remote) else output.parent
        digest = blake2b(os.fsencode(address), digest_size=4).hexdigest()
        return (self._job.work_folder or beside) / f"{output.name}-{digest}.staged"

    def _beside(self, path_of: Callable[[Path], Path]) -> Remote:
        assert self._output is not None
        return self._output.beside(path_of(self._target).name.removeprefix(self._target.name))

    def _local_job(self, target: Path) -> LocalJob:
        names = (self._shown.get(path) or show_path(path.name) for path in self._copies)
        return _localise(self._job, self._copies, target, names)

    @property
    def _unfinished(self) -> bool:
        """Whether a local job has begun, or is finished and its output not put in place."""
        return WorkFolder(self._target).unfinished or (self._output is not None and self._target.exists())

    @contextmanager
    def _keeping_copies(self) -> Iterator[None]:
        """Empties the folder where what is inside fails before anything is here whole."""
        try:
            yield
        except BaseException:
            if not self._unfinished and not any(self.path.glob(f"{INPUTS}/*.json")):
                self._clear()
            raise

    @contextmanager
    def _keeping_job(self) -> Iterator[None]:
        """Empties the folder where a job is refused, so that there is nothing to resume."""
        try:
            yield
        except (KeyboardInterrupt, Interrupted):
            raise
        except BaseException:
            if not self._unfinished:
                self._clear()
            raise

    @contextmanager
    def _resumable(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted("The job was interrupted.", RESUME) from None
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            raise CompersionError(
                f"The job stopped at {error.filename or self.path}: {error.strerror or error}.",
                f"{'Free some space' if full else 'Check the disk and its permissions'}. {RESUME}",
            ) from error

    def _clear(self) -> None:
        """Removes what a job puts in the folder, and nothing else; the lock goes by itself."""
        for folder in (INPUTS, FINISHED):
            shutil.rmtree(self.path / folder, ignore_errors=True)
        if self._output is not None:
            shutil.rmtree(WorkFolder(self._target).path, ignore_errors=True)
            for path in (self._target, account_path(self._target), rejected_path(self._target)):
                path.unlink(missing_ok=True)
            for rest in self.path.glob(".compersion-*.part"):  # of an output that a kill cut off
                rest.unlink()


def _localise(job: Job, inputs: Sequence[Path], output: Path, names: Iterable[str] = ()) -> LocalJob:
    rest = {field: getattr(job, field) for field in Job.__struct_fields__ if field not in ("inputs", "output")}
    return LocalJob(inputs=tuple(inputs), output=output, names=tuple(names), **rest)


@contextmanager
def _calling(names: Mapping[Path, str]) -> Iterator[None]:
    """Puts names in the place of paths in the messages of errors."""
    try:
        yield
    except CompersionError as error:
        for path, name in names.items():
            error.message = error.message.replace(str(path), name)
            error.hint = error.hint.replace(str(path), name)
        raise
