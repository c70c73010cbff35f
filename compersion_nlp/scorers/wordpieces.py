"""Texts as word pieces of a fixed vocabulary, each with its place in the text as it came in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from compersion_nlp.folding import fold

# Vocabularies of this kind hold letters and hardly an emoji: an emoji is read by its Unicode name.
_FIRST_EMOJI = 0x2600
_HIGH = re.compile("[\u2600-\U0010ffff]")
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_VARIATION = 0xFE0F
# What a text of ASCII is cut at before its words are cut into pieces: at white space, and around every mark.
_WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
# So many words of so many letters are known; a hostile file does not fill the memory.
_MOST_KNOWN, _LONGEST_KNOWN = 200_000, 40

_NO_EMOJI = (0x2800, 0xFFFC, 0xFFFD)  # symbols that stand for nothing: a blank, a lost object, a lost character


class Pieces(NamedTuple):
    """One chunk of a text: ``ids`` with the special pieces at both ends, and where each stands (t, 2)."""

    ids: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]


def spell(text: str) -> tuple[str, list[int] | None]:
    """Returns a text as it is read, folded and with emoji spelled out, and where each of its characters comes from.

    The places are in the original text; None stands for places that are all the same.

    >>> spell("so proud 🎉")
    ('so proud  party popper ', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9])
    """
    folded = fold(text)
    if folded.isascii() or not _HIGH.search(folded) or not any(map(_is_spelled, folded)):
        return folded, None
    parts, places = [], []
    for place, character in enumerate(folded):
        part = _spelled(character) if _is_spelled(character) else character
        parts.append(part)
        places.extend([place] * len(part))
    return "".join(parts), places


def _is_spelled(character: str) -> bool:
    code = ord(character)
    return (
        code == _VARIATION or code in _SKIN_TONES or (code >= _FIRST_EMOJI and unicodedata.category(character) == "So")
    )


def _spelled(character: str) -> str:
    if ord(character) == _VARIATION or ord(character) in _SKIN_TONES:
        return ""
    name = "" if ord(character) in _NO_EMOJI else unicodedata.name(character, "").lower()
    return f" {name} " if name else " "


class WordPieces:
    """Cuts texts into word pieces, in chunks of at most ``longest`` with the special pieces counted.

    None is one chunk for a text of any length.
    """

    def __init__(self, tokenizer: Tokenizer, longest: int | None) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # "[SEP]" in a text is what somebody typed, not its end
        self.tokenizer = tokenizer
        self.longest = longest
        # What stands before and after every text: [CLS] and [SEP], whatever they are called.
        self.first, self.last = tokenizer.encode("").ids

    def cut(self, texts: Sequence[str]) -> list[list[Pieces]]:
        """Returns the chunks of each text, one at least; nothing of a text is left out."""
        spelled = [spell(text) for text in texts]
        found = self.tokenizer.encode_batch([text for text, _ in spelled], add_special_tokens=False)
        return [
            self._chunks(np.array(one.ids, np.int64), _places(one.offsets, places))
            for one, (_, places) in zip(found, spelled, strict=True)
        ]

    def _chunks(self, ids: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> list[Pieces]:
        step = max(len(ids), 1) if self.longest is None else self.longest - 2
        starts = range(0, max(len(ids), 1), step)
        return [
            Pieces(
                np.concatenate([[self.first], ids[start : start + step], [self.last]]).astype(np.int64),
                np.concatenate([[[0, 0]], offsets[start : start + step], [[0, 0]]]).astype(np.int64),
            )
            for start in starts
        ]


def cuts_words_alone(tokenizer: Tokenizer) -> bool:
    """Says whether a vocabulary cuts lower-case words, each by itself, as BERT's does; ``PieceIds`` needs that."""
    told = msgspec.json.decode(tokenizer.to_str())
    normalizer, before = (told.get(key) or {} for key in ("normalizer", "pre_tokenizer"))
    lower = normalizer.get("type") == "BertNormalizer" and normalizer.get("lowercase") is True
    return lower and before.get("type") == "BertPreTokenizer"


class PieceIds:
    """Cuts texts into the numbers of their word pieces alone, as ``WordPieces`` does, and several times as fast.

    A vocabulary cuts each word by itself, and people use the same words again and again: what a word of ASCII is cut
    into is remembered. A text with anything else in it goes through the vocabulary whole.
    """

    def __init__(self, pieces: WordPieces) -> None:
        self._pieces = pieces
        self._known: dict[str, tuple[int, ...]] = {}

    def cut(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the pieces of each text, with the special ones at both ends."""
        first, last = self._pieces.first, self._pieces.last
        return [[first, *self._cut(spell(text)[0]), last] for text in texts]

    def _cut(self, text: str) -> Sequence[int]:
        if not text.isascii():
            return list(self._pieces.tokenizer.encode(text, add_special_tokens=False).ids)
        words = _WORD.findall(text.lower())
        known = self._known
        try:
            return [piece for word in words for piece in known[word]]
        except KeyError:
            known = self._learn(set(words))
            return [piece for word in words for piece in known[word]]

    def _learn(self, words: set[str]) -> dict[str, tuple[int, ...]]:
        """Returns what these words are cut into, and remembers it; other threads may be at it too."""
        known = self._known if len(self._known) <= _MOST_KNOWN else {}
        new = [word for word in words if word not in known]
        cut = [tuple(one.ids) for one in self._pieces.tokenizer.encode_batch(new, add_special_tokens=False)]
        found = dict(zip(new, cut, strict=True))
        known.update((word, ids) for word, ids in found.items() if len(word) <= _LONGEST_KNOWN)
        self._known = known
        return {word: found[word] if word in found else known[word] for word in words}


def _places(offsets: Sequence[tuple[int, int]], places: list[int] | None) -> npt.NDArray[np.int64]:
    spans = np.array(offsets, np.int64).reshape(-1, 2)
    if places is None or not len(spans):
        return spans
    origin = np.array(places, np.int64)
    return np.stack([origin[spans[:, 0]], origin[np.maximum(spans[:, 1] - 1, 0)] + 1], axis=1)
