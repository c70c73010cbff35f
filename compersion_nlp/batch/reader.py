"""What an engine maps: a numbered chunk of the input becomes a part, the lines of its readings.

It runs in this process or in a worker, which loads the tagger once, from the bundle's folder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from compersion_nlp.errors import BadBundle, BadScorer
from compersion_nlp.records import Passage, Rejected

if TYPE_CHECKING:
    from compersion_nlp.tagger import Tagger

PLAIN = "I am happy for them."  # what any model can read
LONGEST_REASON = 200  # characters
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


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a part: an item's reading as a row, or the reason why it has none.

    ``text`` is the digest of a passage's text, by which the merge knows it again.
    """

    number: int
    text: str | None = None
    reading: dict[str, Any] | None = None
    rejected: str | None = None


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
    """A chunk's readings, one encoded line an item, and their entry in the ledger."""

    entry: Entry
    data: bytes


class ChunkReader(msgspec.Struct, frozen=True):
    """Reads chunks with one bundle, named by folder and digest so that it travels light."""

    folder: str
    digest: str
    explain: bool

    def __call__(self, chunk: Chunk) -> Part:
        """Returns the chunk's part: every passage is labelled, or rejected with the model's error.

        Raises BadBundle if the bundle is not the one named, and BadScorer if it cannot read anything.
        """
        texts = [item.text for item in chunk.items if isinstance(item, Passage)]
        found = iter(_read_all(_tagger(self.folder, self.digest), texts, self.explain))
        lines = [
            Line(item.number, rejected=_encodable(item.reason))
            if isinstance(item, Rejected)
            else _line(item, next(found))
            for item in chunk.items
        ]
        rejected = [line for line in lines if line.rejected is not None]
        data = msgspec.json.Encoder().encode_lines(lines)
        entry = Entry(
            chunk=chunk.number,
            first=lines[0].number,
            last=lines[-1].number,
            labelled=len(lines) - len(rejected),
            rejected=len(rejected),
            complaint=f"row {rejected[0].number:,}: {rejected[0].rejected}" if rejected else None,
            columns=chunk.columns,
            sha256=sha256(data).hexdigest(),
        )
        return Part(entry, data)


def digest_text(item: Passage | Rejected) -> str | None:
    """Returns what tells a passage's text from others, or None for a row that is no passage."""
    if isinstance(item, Rejected):
        return None
    return blake2b(item.text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _line(passage: Passage, found: dict[str, Any] | str) -> Line:
    text = digest_text(passage)
    if isinstance(found, str):
        return Line(passage.number, text, rejected=found)
    return Line(passage.number, text, reading=found)


@lru_cache(maxsize=1)
def _tagger(folder: str, digest: str) -> Tagger:
    from compersion_nlp.tagger import load

    tagger = load(Path(folder))
    if tagger.bundle.digest != digest:
        raise BadBundle(f"The bundle {folder} was replaced while the job ran.", "Start the job anew with it.")
    return tagger


def _read_all(tagger: Tagger, texts: Sequence[str], explain: bool) -> list[dict[str, Any] | str]:
    """Returns a row or a reason for each text; raises BadScorer if the model cannot read even a plain one."""
    found = _read(tagger, texts, explain)
    if found and all(isinstance(one, str) for one in found) and isinstance(_read(tagger, [PLAIN], explain)[0], str):
        raise BadScorer(
            f"{tagger.model} could not read one passage of a chunk, nor a plain sentence: {found[0]}.",
            "The fault is the model's and not the passages'. Label with another model.",
        )
    return found


def _read(tagger: Tagger, texts: Sequence[str], explain: bool) -> list[dict[str, Any] | str]:
    """Returns a row or a reason for each text; halves what the model fails on until the poison is alone."""
    try:
        return [reading.to_row() for reading in tagger.tag_many(texts, explain, batch_size=max(1, len(texts)))]
    except Exception as error:
        if len(texts) == 1:
            return [_reason(error, texts[0])]
        middle = len(texts) // 2
        return _read(tagger, texts[:middle], explain) + _read(tagger, texts[middle:], explain)


def _reason(error: Exception, text: str) -> str:
    """Returns what the model raised, without its message where that might quote the text."""
    message = str(error)
    folded = text.casefold()
    quoted = any(telling in folded for telling in _TELLING.findall(message.casefold()))
    named = type(error).__name__ if quoted or not message else f"{type(error).__name__}: {message}"
    return _encodable(f"the model failed: {named}"[:LONGEST_REASON])


def _encodable(reason: str) -> str:
    return reason.encode("utf-8", "replace").decode("utf-8")
