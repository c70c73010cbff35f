"""What an engine maps: a numbered chunk of the input becomes a part, its readings.

It runs in this process or in a worker, which loads the tagger once, from the bundle's folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from compersion_nlp.errors import BadBundle, BadScorer
from compersion_nlp.readings import PackedReadings, Readings
from compersion_nlp.records import Passage, Rejected

if TYPE_CHECKING:
    from compersion_nlp.tagger import Tagger

PLAIN = "I am happy for them."  # what any model can read
LONGEST_REASON = 200  # characters
DIGEST = 8  # bytes
# What shows that a message quotes a text: a word, though not a short one that any sentence has, or
# anything in quotation marks or beyond ASCII.
_TELLING = re.compile(r"""\w{4,}|[^\W\x00-\x7f]+|(?<=['"`])[^'"`]+(?=['"`])""")


class Chunk(msgspec.Struct, frozen=True):
    """Consecutive items of the input, stripped of what a reading does not need.

    Chunks are numbered from 1. ``columns`` is carried through to the part: the kinds of what was
    stripped.
    """

    number: int
    items: tuple[Passage | Rejected, ...]
    columns: dict[str, list[str]] = {}


class Passed(msgspec.Struct, frozen=True):
    """Goes through an engine in the place of a chunk that needs no reading there, so that the order is kept."""

    number: int


class Stored(msgspec.Struct, frozen=True):
    """What a part holds of its chunk.

    ``texts`` are the digests of the items' texts, by which they are known again when they are written, eight bytes
    each, zeros for a row that is no passage. ``rejected`` maps an item's place in the chunk to the reason why it has
    no reading; ``readings`` are those of the others, in order, None where there are none.
    """

    texts: bytes
    rejected: dict[int, str]
    readings: PackedReadings | None


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the ledger keeps of a part: which items it has, how they fared, and the digest of its data.

    ``first`` and ``last`` are item numbers, ``columns`` the kinds of the input columns seen in the
    chunk, ``complaint`` its first rejected row and why.
    """

    chunk: int
    first: int
    last: int
    labelled: int
    rejected: int
    complaint: str | None
    columns: dict[str, list[str]]
    sha256: str


class Part(msgspec.Struct, frozen=True):
    """A chunk's readings, encoded, and their entry in the ledger."""

    entry: Entry
    data: bytes


class ChunkReader(msgspec.Struct, frozen=True):
    """Reads chunks with one bundle, named by folder and digest so that it travels light."""

    folder: str
    digest: str
    explain: bool

    def __call__(self, chunk: Chunk | Passed) -> Part | Passed:
        """Returns the chunk's part: every passage is labelled, or rejected with the model's error.

        Raises BadBundle if the bundle is not the one named, and BadScorer if it cannot read anything.
        """
        if isinstance(chunk, Passed):
            return chunk
        places = [place for place, item in enumerate(chunk.items) if isinstance(item, Passage)]
        texts = [item.text for item in chunk.items if isinstance(item, Passage)]
        found = _read_all(_tagger(self.folder, self.digest), texts, self.explain)
        failed = {places[place]: reason for place, reason in found.failed.items()}
        return make_part(chunk, found.readings, failed)


def make_part(chunk: Chunk, readings: Readings | None, failed: Mapping[int, str]) -> Part:
    """Returns a chunk's part from the readings of its passages but those that failed, by place in the chunk."""
    rejected = {p: _encodable(item.reason) for p, item in enumerate(chunk.items) if isinstance(item, Rejected)}
    rejected |= failed
    packed = None if readings is None else PackedReadings.of(readings)
    data = msgspec.msgpack.encode(Stored(digest_texts(chunk.items), rejected, packed))
    first = min(rejected, default=None)
    entry = Entry(
        chunk=chunk.number,
        first=chunk.items[0].number,
        last=chunk.items[-1].number,
        labelled=len(chunk.items) - len(rejected),
        rejected=len(rejected),
        complaint=None if first is None else f"row {chunk.items[first].number:,}: {rejected[first]}",
        columns=chunk.columns,
        sha256=sha256(data).hexdigest(),
    )
    return Part(entry, data)


def read_part(data: bytes) -> Stored:
    """Returns what ``make_part`` put into the data of a part."""
    return msgspec.msgpack.decode(data, type=Stored)


def digest_texts(items: Iterable[Passage | Rejected]) -> bytes:
    """Returns what tells the texts of items from others, eight bytes an item, zeros for a row that is no passage."""
    return b"".join(
        blake2b(item.text.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
        if isinstance(item, Passage)
        else bytes(DIGEST)
        for item in items
    )


@lru_cache(maxsize=1)
def _tagger(folder: str, digest: str) -> Tagger:
    from compersion_nlp.tagger import load

    tagger = load(Path(folder))
    if tagger.bundle.digest != digest:
        raise BadBundle(f"The bundle {folder} was replaced while the job ran.", "Start the job anew with it.")
    return tagger


class _Found(NamedTuple):
    """The readings of some texts, None where there is none, and why the others have none, by their place."""

    readings: Readings | None
    failed: dict[int, str]


def _read_all(tagger: Tagger, texts: Sequence[str], explain: bool) -> _Found:
    """Returns what the model makes of the texts; raises BadScorer if it cannot read even a plain one."""
    found = _read(tagger, texts, explain)
    if texts and found.readings is None and _read(tagger, [PLAIN], explain).readings is None:
        raise BadScorer(
            f"{tagger.model} could not read one passage of a chunk, nor a plain sentence: {found.failed[0]}.",
            "The fault is the model's and not the passages'. Label with another model.",
        )
    return found


def _read(tagger: Tagger, texts: Sequence[str], explain: bool) -> _Found:
    """Reads the texts; halves what the model fails on until the poison is alone."""
    if not texts:
        return _Found(None, {})
    try:
        return _Found(tagger.tabulate(texts, explain), {})
    except Exception as error:
        if len(texts) == 1:
            return _Found(None, {0: _reason(error, texts[0])})
        middle = len(texts) // 2
        halves = [_read(tagger, half, explain) for half in (texts[:middle], texts[middle:])]
        readings = [half.readings for half in halves if half.readings is not None]
        failed = halves[0].failed | {middle + place: reason for place, reason in halves[1].failed.items()}
        return _Found(Readings.join(readings) if readings else None, failed)


def _reason(error: Exception, text: str) -> str:
    """Returns what the model raised, without its message where that might quote the text."""
    message = str(error)
    folded = text.casefold()
    quoted = any(telling in folded for telling in _TELLING.findall(message.casefold()))
    named = type(error).__name__ if quoted or not message else f"{type(error).__name__}: {message}"
    return _encodable(f"the model failed: {named}"[:LONGEST_REASON])


def _encodable(reason: str) -> str:
    return reason.encode("utf-8", "replace").decode("utf-8")
