"""Changes that leave what is felt as it was: words for others of their kind, and text before or after."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import msgspec

from compersion_nlp.folding import fold

Name = Annotated[str, msgspec.Meta(min_length=1)]
Text = Annotated[str, msgspec.Meta(pattern=r"\S")]  # not blank


class Invariance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A passage that the swaps are tried on."""

    id: Name
    text: Text


class Replace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words, or runs of them, with what takes their place; passages that hold one of ``only_without`` are let be."""

    slice: Name
    pairs: Annotated[tuple[tuple[Text, Text], ...], msgspec.Meta(min_length=1)]
    only_without: tuple[Text, ...] = ()


class Addition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts of which each passage gets one."""

    slice: Name
    texts: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]


class Swaps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ``swaps.toml`` says. Several entries may share a slice."""

    replace: tuple[Replace, ...] = ()
    append: tuple[Addition, ...] = ()
    prepend: tuple[Addition, ...] = ()

    @property
    def slices(self) -> tuple[str, ...]:
        """The slices, each once, in the order of the file's kinds of swap."""
        entries: tuple[Replace | Addition, ...] = (*self.replace, *self.append, *self.prepend)
        return tuple(dict.fromkeys(entry.slice for entry in entries))


class Pair(msgspec.Struct, frozen=True):
    """A passage and what a swap made of it."""

    id: str
    slice: str
    text: str
    changed: str


def check_swaps(swaps: Swaps) -> None:
    """Raises msgspec.ValidationError naming the key if there is no swap, or if a word is to become two things."""
    if not swaps.slices:
        raise msgspec.ValidationError("there is no swap - at `$`")
    for number, entry in enumerate(swaps.replace):
        seen: set[str] = set()
        for place, (word, _) in enumerate(entry.pairs):
            if (plain := fold(word).lower()) in seen:
                raise msgspec.ValidationError(f"{word!r} is replaced twice - at `$.replace[{number}].pairs[{place}]`")
            seen.add(plain)


def make_pairs(passages: Sequence[Invariance], swaps: Swaps) -> Iterator[Pair]:
    """Yields, for every swap in turn, the passages that it changes."""
    changes = [(entry.slice, _replacing(entry)) for entry in swaps.replace]
    changes += [(entry.slice, _adding(entry, _join)) for entry in swaps.append]
    changes += [(entry.slice, _adding(entry, lambda text, added: _join(added, text))) for entry in swaps.prepend]
    for name, change in changes:
        for passage in passages:
            if (changed := change(passage)) != passage.text:
                yield Pair(passage.id, name, passage.text, changed)


def replace_words(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Returns ``text`` with whole words replaced, all at once: what one pair put in, no other takes out.

    Case and the shape of quotes and dashes do not matter to what is found. The longest words go first.

    >>> replace_words("My wife? MY WIFE's boss.", [("wife", "husband"), ("husband", "wife")])
    "My husband? MY HUSBAND's boss."
    """
    longest_first = sorted(pairs, key=lambda pair: -len(pair[0]))
    pattern = _whole_words([f"({re.escape(fold(word))})" for word, _ in longest_first])
    parts, end = [], 0
    for match in pattern.finditer(fold(text)):  # folding keeps every offset
        word, other = longest_first[(match.lastindex or 0) - 1]
        parts += [text[end : match.start()], _cased(other, text[match.start() : match.end()], word)]
        end = match.end()
    return "".join((*parts, text[end:]))


def _whole_words(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE)


def _cased(other: str, found: str, word: str) -> str:
    """Returns ``other``, in capitals or with its first letter as in ``found`` where ``word`` is written otherwise."""
    if len(found) > 1 and found.isupper() and not word.isupper():
        return other.upper()
    if found[0] == word[0]:
        return other
    return (other[0].upper() if found[0].isupper() else other[0].lower()) + other[1:]


def _replacing(entry: Replace) -> Callable[[Invariance], str]:
    barred = _whole_words([re.escape(fold(word)) for word in entry.only_without]) if entry.only_without else None

    def change(passage: Invariance) -> str:
        if barred and barred.search(fold(passage.text)):
            return passage.text
        return replace_words(passage.text, entry.pairs)

    return change


def _adding(entry: Addition, join: Callable[[str, str], str]) -> Callable[[Invariance], str]:
    return lambda passage: join(passage.text, entry.texts[_draw(passage.id, len(entry.texts))])


def _draw(id_: str, among: int) -> int:
    """Returns a number below ``among`` by the id alone: the same on every machine, and whatever other passages."""
    return int.from_bytes(hashlib.sha256(id_.encode("utf-8", "surrogatepass")).digest()[:8]) % among


def _join(one: str, other: str) -> str:
    """Returns both in this order, with a space between unless one of them brings a space or a line end."""
    return one + ("" if one[-1].isspace() or other[0].isspace() else " ") + other
