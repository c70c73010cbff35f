"""Reading a chunk that ends the process that reads it: in ever smaller pieces, until what does it is alone."""

from __future__ import annotations

from compersion_nlp.batch.reader import PLAIN, Chunk, ChunkReader, Part, make_part, read_part
from compersion_nlp.engines import Crash, Engine, WorkerDied
from compersion_nlp.readings import Readings
from compersion_nlp.records import Passage

CRASHED = "the model's process ended on it: it crashed, was killed or ran out of memory"


def read_apart(engine: Engine, reader: ChunkReader, chunk: Chunk) -> Part:
    """Returns the part of a chunk; the passages that end the engine's worker are rejected, and no others.

    Raises WorkerDied if a worker ends on a plain sentence too.
    """
    places = [place for place, item in enumerate(chunk.items) if isinstance(item, Passage)]
    if not places:  # the process ended on something else
        return make_part(chunk, None, {})
    readings, failed = _read(engine, reader, Chunk(chunk.number, tuple(chunk.items[place] for place in places)))
    return make_part(
        chunk, Readings.join(readings) if readings else None, {places[p]: why for p, why in failed.items()}
    )


def _read(engine: Engine, reader: ChunkReader, chunk: Chunk) -> tuple[list[Readings], dict[int, str]]:
    """Returns the readings of a chunk of passages, in order, and why the others have none, by their place."""
    found = next(engine.map(reader, [chunk]))
    if isinstance(found, Part):
        stored = read_part(found.data)
        return ([stored.readings.unpack()] if stored.readings is not None else []), stored.rejected
    if len(chunk.items) == 1:
        _check_plain(engine, reader)
        return [], {0: CRASHED}
    middle = len(chunk.items) // 2
    left, left_failed = _read(engine, reader, Chunk(chunk.number, chunk.items[:middle]))
    right, right_failed = _read(engine, reader, Chunk(chunk.number, chunk.items[middle:]))
    return left + right, left_failed | {middle + place: why for place, why in right_failed.items()}


def _check_plain(engine: Engine, reader: ChunkReader) -> None:
    if isinstance(next(engine.map(reader, [Chunk(1, (Passage(PLAIN),))])), Crash):
        raise WorkerDied(
            "Worker processes end whatever they read: they are killed, or the machine runs out of memory.",
            "Try fewer workers, or another model.",
        )
