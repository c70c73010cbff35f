"""Runs a job: reads the input chunk by chunk into parts, and writes rows and parts into the output."""

from __future__ import annotations

import errno
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

import msgspec

from compersion_nlp.batch.account import Account, read_account, write_account
from compersion_nlp.batch.apart import read_apart
from compersion_nlp.batch.checks import check, check_way
from compersion_nlp.batch.job import RESUME, Identity, Inputs, Job, LocalJob, show_path
from compersion_nlp.batch.ledger import Ledger, WorkFolder
from compersion_nlp.batch.output import Output, RejectedFile, changed
from compersion_nlp.batch.progress import Extent, Progress, Reporter
from compersion_nlp.batch.reader import Chunk, ChunkReader, Entry, Part, Passed, read_part
from compersion_nlp.batch.staging import run_staged
from compersion_nlp.bundle import Manifest, verify
from compersion_nlp.bundle.manifest import MANIFEST
from compersion_nlp.engines import Engine, Joblib, WorkerDied
from compersion_nlp.errors import BadInput, CompersionError, Interrupted
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.registry import ENGINES
from compersion_nlp.sinks import Sink, needs_kinds, open_sink
from compersion_nlp.sources import ColumnKinds, Kind, open_source

Listener = Callable[[Progress], None]
OTHER_PROCESS = Joblib  # where a chunk is read on which this process may end
CHUNK_CHARACTERS = 2**24  # a chunk ends where its texts are this long together: several are in memory at a time


def label(job: Job, progress: Listener | None = None) -> Account:
    """Labels every passage of the job's inputs and returns the account.

    ``progress`` is called after every chunk of each pass: ``reading``, and ``writing`` where that has to wait. Raises
    BadInput if the output or an unfinished job is in the way, or if what is to be resumed has changed, and Interrupted
    if the run was stopped and can be resumed.
    """
    return run_staged(job, partial(_label, progress=progress))


def _label(job: LocalJob, progress: Listener | None) -> Account:
    check(job)
    began = perf_counter()
    work = WorkFolder(job.output)
    check_way(job, work)
    with _resumable(work), work.locked():
        check_way(job, work)  # again: another process may have come and gone
        return _Run(job, work, progress).complete(began)


class _Run:
    """What the passes of one job share."""

    def __init__(self, job: LocalJob, work: WorkFolder, progress: Listener | None) -> None:
        self._job, self._work, self._progress = job, work, progress
        self._inputs = Inputs(job.inputs, job.names)
        self._source = open_source(job.inputs, job.read)
        self._suspect: int | None = None
        self._in_process = job.engine == "serial"
        self._engine: Engine = ENGINES.get(job.engine)(job.workers, job.address)
        verified = verify(job.model)  # against its store's pin too, which workers, given a folder, do not know
        self._folder, self._manifest = verified.folder, verified.manifest
        self._sink({})  # an output of an unknown format is an error now, and not after the reading
        self._identity = _identity(job, self._inputs, self._folder, self._manifest)

    def complete(self, began: float) -> Account:
        if (finished := self._begin()) is not None:
            return finished
        with self._work.ledger() as ledger:
            read, output = self._complete(ledger)
        account = self._account(read, output, began)
        write_account(account, self._job.output)
        self._work.clear()
        return account

    def _complete(self, ledger: Ledger) -> tuple[Progress, Output]:
        """Reads all chunks and writes the output; in one go where its columns are known before the rows."""
        kinds = self._source.kinds if needs_kinds(self._job.output, self._job.write) else {}
        if kinds is not None:
            with self._output(kinds) as output:
                return self._read(ledger, output), output
        read = self._read(ledger, None)
        self._inputs.check()
        found = ColumnKinds()
        for entry in ledger.entries():
            found.merge(ColumnKinds.from_json(entry.columns))
        with self._output(found.kinds()) as output:
            self._write(ledger, output, read)
        return read, output

    def _begin(self) -> Account | None:
        """Makes or takes up the work folder; returns the account if the job is finished already."""
        if self._work.unfinished and self._job.resume:
            began = self._work.identity()
            if (change := began.change(self._identity)) is not None:
                raise BadInput(f"This job cannot be resumed: {change}", "Start anew with --overwrite.")
            self._suspect = self._work.suspect() if self._in_process else None
            return None
        if self._job.output.exists() and self._job.resume:
            account = read_account(self._job.output)
            if (change := account.identity.change(self._identity)) is not None:
                raise BadInput(
                    f"{self._job.output} is the finished output of another job: {change}",
                    "Start anew with --overwrite, or choose another output.",
                )
            self._work.clear()  # of what a kill in the last moment left
            return account
        self._work.begin(self._identity)
        return None

    def _read(self, ledger: Ledger, output: Output | None) -> Progress:
        """Completes the ledger, and writes each chunk once it is its turn; returns what this came to."""
        extent = Extent(self._job.inputs, self._job.read)
        reporter = Reporter("reading", self._progress)
        reader = ChunkReader(str(self._folder.absolute()), self._identity.bundle, self._job.explain)
        in_hand: deque[tuple[int, list[Passage | Rejected], int]] = deque()

        def todo() -> Iterator[Chunk | Passed]:
            lines = 0
            for number, items in enumerate(_batched(self._source, self._job.chunk_size), start=1):
                lines += extent.lines(items)
                in_hand.append((number, items, lines))
                if ledger.get(number) is not None or number == self._suspect:
                    yield Passed(number)
                else:
                    if self._in_process:
                        self._work.begin_chunk(number)
                    yield _chunk(number, items)

        with self._work.ending_chunks(), closing(self._engine.map(reader, todo())) as results:
            for result in results:
                number, items, lines = in_hand.popleft()
                resumed = ledger.get(number)
                if (entry := resumed) is None:
                    part = result if isinstance(result, Part) else self._read_apart(reader, _chunk(number, items))
                    entry = ledger.add(part)
                self._refuse_strictly(entry)
                if output is not None:
                    output.write(items, ledger.read(number) if resumed is not None else read_part(part.data))
                reporter.advance(
                    entry.labelled + entry.rejected, entry.rejected, extent.share(lines), resumed is not None
                )
        return reporter.last

    def _read_apart(self, reader: ChunkReader, chunk: Chunk) -> Part:
        """Reads a chunk that ended its worker, or a process of this job, where it can end nothing but a worker."""
        engine = OTHER_PROCESS() if self._in_process else ENGINES.get(self._job.engine)(1, self._job.address)
        return read_apart(engine, reader, chunk)

    def _refuse_strictly(self, entry: Entry) -> None:
        if self._job.strict and entry.complaint is not None:
            raise BadInput(
                f"A row was rejected: {entry.complaint}.",
                "Mend the row, or leave --strict out to have such rows set aside.",
            )

    def _write(self, ledger: Ledger, output: Output, read: Progress) -> None:
        """Reads the input a second time and writes each row with its reading."""
        reporter, written = Reporter("writing", self._progress), 0
        for number, items in enumerate(_batched(self._source, self._job.chunk_size), start=1):
            if ledger.get(number) is None:
                raise changed(items[0].number)
            output.write(items, ledger.read(number))
            written += len(items)
            reporter.advance(len(items), 0, written / read.items)
        if written != read.items:
            raise changed(written + 1)

    @contextmanager
    def _output(self, columns: Mapping[str, Kind]) -> Iterator[Output]:
        rejected = RejectedFile(self._work.path, self._job.output)
        with closing(rejected), self._sink(columns) as sink:
            output = Output(sink, rejected)
            yield output
            self._inputs.check()
            output.finish()

    def _account(self, read: Progress, output: Output, began: float) -> Account:
        job, tally = self._job, output.tally
        return Account(
            output=show_path(job.output),
            rejected_file=show_path(output.rejected_file) if output.rejected_file else None,
            identity=self._identity,
            read=read.items,
            labelled=tally.labelled,
            rejected=tally.rejected,
            reasons=dict(tally.reasons),
            duplicate_ids=tally.duplicate_ids(),
            renamed=dict(output.sink.renamed),
            guarded=output.sink.guarded,
            tiers=dict(tally.tiers),
            chunks=read.chunks,
            chunks_resumed=read.chunks_resumed,
            engine=job.engine,
            workers=job.workers,
            seconds=perf_counter() - began,
        )

    def _sink(self, columns: Mapping[str, Kind]) -> Sink:
        options = msgspec.structs.replace(self._job.write, schema=self._source.schema)
        return open_sink(self._job.output, columns, self._manifest.labels, self._job.explain, options)


@contextmanager
def _resumable(work: WorkFolder) -> Iterator[None]:
    """Says of what stops a job from outside that it can be resumed, and how."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("The job was interrupted.", RESUME if work.unfinished else "Nothing is done yet.") from None
    except WorkerDied as error:
        raise CompersionError(error.message, f"{error.hint} {RESUME}") from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise CompersionError(
            f"The job stopped at {error.filename or work.path}: {error.strerror or error}.",
            f"{'Free some space' if full else 'Check the disk and its permissions'}."
            f"{f' {RESUME}' if work.unfinished else ''}",
        ) from error


def _identity(job: LocalJob, inputs: Inputs, folder: Path, manifest: Manifest) -> Identity:
    return Identity(
        inputs=inputs.digests(),
        model=f"{manifest.name}@{manifest.version}",
        bundle=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        read=job.read,
        chunk_size=job.chunk_size,
        explain=job.explain,
    )


def _batched(items: Iterable[Passage | Rejected], size: int) -> Iterator[list[Passage | Rejected]]:
    batch: list[Passage | Rejected] = []
    characters = 0
    for item in items:
        batch.append(item)
        characters += len(item.text if isinstance(item, Passage) else item.raw)
        if len(batch) == size or characters >= CHUNK_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _chunk(number: int, items: Iterable[Passage | Rejected]) -> Chunk:
    """Returns the chunk of these items, with the columns taken off and only their kinds kept."""
    kinds = ColumnKinds()
    bare: list[Passage | Rejected] = []
    for item in items:
        if isinstance(item, Passage):
            kinds.observe(item.columns)
            bare.append(Passage(item.text, item.number))
        else:
            bare.append(Rejected(item.number, item.reason, ""))
    return Chunk(number, tuple(bare), kinds.to_json())
