"""Phrase patterns: a small readable syntax, compiled to one spaCy PhraseMatcher.

A phrase is words in lower case, with four additions:

==================  ==========================================================
``(a|b c|d)``       one of these; ``(a|b)?`` one of these or nothing
``<name>``          one of the words of a group, defined beside the phrases
``<name>?``         the same, or nothing
``*``, ``*N``       up to 2, or up to ``N``, words of any kind in between
==================  ==========================================================

Contractions are matched however they are typed: ``can't`` also finds "cant" and "CAN'T". A phrase
never reaches over the end of a sentence. Finding takes time linear in the text, whatever the
number of phrases: each run of words is an entry of the matcher's trie, and runs are joined over
their gaps in one pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from typing import TYPE_CHECKING, NamedTuple

from compersion_nlp.errors import BadConfig
from compersion_nlp.records import Span
from compersion_nlp.text import language, lasting_memory

if TYPE_CHECKING:
    from spacy.tokens import Doc

MAX_GAP = 8
MAX_VARIANTS = 5000
DEFAULT_GAP = 2

Words = tuple[str, ...]
Run = tuple[Words, ...]  # the ways to write one unbroken run of words
Use = tuple[int, int]  # a phrase of the book, by number, and which of its runs

_PART = re.compile(r"\(|\)\??|\||<\w+>\??|\*\d*|[^\s()<>*|]+")
_SENTENCE_ENDS = frozenset(".!?\n")
_EMPHASIS = frozenset(("*", "**", "_", "__", "~", "~~"))
# Without its apostrophe the contraction is another word: "ill", "well", "were", "shed" ...
_HOMOGRAPHS = frozenset(("i'll", "we'll", "we're", "she'd", "he'll", "she'll", "i'd", "we'd"))


class Tokens:
    """The words of a parsed text as phrases see them: lower case, without layout and emphasis marks.

    Token numbers count these words. ``offsets`` holds each one's first character and the one after its last,
    in the text as it came in.
    """

    def __init__(self, doc: Doc) -> None:
        from spacy.tokens import Doc

        kept = [token for token in doc if not _is_layout(token.text, doc, token.i)]
        self.text: str = doc.text
        self.shapes: tuple[str, ...] = tuple(token.text for token in kept)
        self.lower: tuple[str, ...] = tuple(token.lower_ for token in kept)
        self.offsets: tuple[tuple[int, int], ...] = tuple((token.idx, token.idx + len(token)) for token in kept)
        self.doc = doc if len(kept) == len(doc) else Doc(doc.vocab, words=list(self.shapes))

    def __len__(self) -> int:
        return len(self.lower)

    def span(self, start: int, end: int) -> Span:
        """Returns the characters that the tokens ``start`` to ``end`` (exclusive) cover."""
        return Span(self.offsets[start][0], self.offsets[end - 1][1])


def _is_layout(text: str, doc: Doc, index: int) -> bool:
    """Whether a token only lays the text out: spaces, a wrapped line's end, emphasis marks."""
    if text in _EMPHASIS:
        return True
    if not text.isspace():
        return False
    wrapped = text.count("\n") == 1 and index + 1 < len(doc) and doc[index + 1].text[:1].islower()
    return "\n" not in text or wrapped


class Found(NamedTuple):
    """A place where a phrase stands: its number in the book, and its tokens ``start`` to ``end``."""

    phrase: int
    start: int
    end: int


class PhraseBook:
    """Phrases, compiled; ``find`` says where each of them stands in a text."""

    def __init__(self, phrases: Sequence[str], groups: Mapping[str, Sequence[str]], where: str = "phrases") -> None:
        self._gaps: list[tuple[int, ...]] = []
        uses: dict[Words, list[Use]] = {}
        for number, phrase in enumerate(phrases):
            runs, gaps = parse_phrase(phrase, groups, where)
            self._gaps.append(gaps)
            for place, run in enumerate(runs):
                for words in run:
                    uses.setdefault(words, []).append((number, place))
        with lasting_memory():
            self._compile(uses)

    def _compile(self, uses: Mapping[Words, list[Use]]) -> None:
        """Adds the words to the matcher, one key for all that are used alike: a key costs more than its words."""
        from spacy.matcher import PhraseMatcher
        from spacy.tokens import Doc

        vocab = language().vocab
        self._matcher = PhraseMatcher(vocab, attr="LOWER")
        self._uses: dict[int, tuple[Use, ...]] = {}
        alike: dict[tuple[Use, ...], list[Words]] = {}
        for words, places in uses.items():
            alike.setdefault(tuple(places), []).append(words)
        for number, (used, spellings) in enumerate(alike.items()):
            self._uses[vocab.strings.add(str(number))] = used
            self._matcher.add(str(number), [Doc(vocab, words=list(words)) for words in spellings])

    def find(self, tokens: Tokens) -> list[Found]:
        """Returns every place where a phrase stands, in the order of the places' last runs."""
        found: list[Found] = []
        waiting: dict[tuple[int, int], tuple[int, int]] = {}
        for key, start, end in sorted(self._matcher(tokens.doc), key=lambda match: match[1:]):
            for number, place in self._uses[key]:
                gaps = self._gaps[number]
                begin = start
                if place:
                    before = waiting.get((number, place - 1))
                    if before is None or not _joins(tokens, before[1], start, gaps[place - 1]):
                        continue
                    begin = before[0]
                if place == len(gaps):
                    found.append(Found(number, begin, end))
                elif waiting.get((number, place), (0, -1))[1] != end:  # of two that end here, the longer
                    waiting[number, place] = (begin, end)
        return found


def _joins(tokens: Tokens, end: int, start: int, gap: int) -> bool:
    if not end <= start <= end + gap:
        return False
    return not any(tokens.lower[between][0] in _SENTENCE_ENDS for between in range(end, start))


def parse_phrase(phrase: str, groups: Mapping[str, Sequence[str]], where: str) -> tuple[list[Run], tuple[int, ...]]:
    """Returns a phrase's runs, each with all its spellings, and the gaps between them in words.

    Raises BadConfig, naming ``where``, if the phrase breaks the syntax.

    >>> parse_phrase("heart *3 (sank|broke)", {}, "example")
    ([(('heart',),), (('sank',), ('broke',))], (3,))
    """
    return _Reader(phrase, groups, where).read()


class _Reader:
    """Reads one phrase, part by part."""

    def __init__(self, phrase: str, groups: Mapping[str, Sequence[str]], where: str) -> None:
        self.phrase = phrase
        self.groups = groups
        self.where = where
        self.parts = _PART.findall(phrase)[::-1]

    def read(self) -> tuple[list[Run], tuple[int, ...]]:
        if self.phrase != self.phrase.lower():
            raise self._error("phrases are written in lower case")
        if "".join(self.parts[::-1]) != "".join(self.phrase.split()):
            raise self._error("< and > stand around the name of a group")
        gaps: list[int] = []
        runs = [self._alternatives()]
        while self.parts and self.parts[-1][0] == "*":
            gaps.append(int(self.parts.pop()[1:] or DEFAULT_GAP))
            runs.append(self._alternatives())
        if self.parts:
            raise self._error("a ) has no (")
        if any(() in run for run in runs):
            raise self._error("a phrase begins and ends with a word, and so does each part around a gap")
        if any(not 0 < gap <= MAX_GAP for gap in gaps):
            raise self._error(f"a gap is 1 to {MAX_GAP} words")
        return runs, tuple(gaps)

    def _alternatives(self) -> Run:
        """Reads up to the end of a group, a gap or the phrase."""
        ways: list[Words] = []
        sequence: Run = ((),)
        while self.parts and self.parts[-1][0] not in ")*":
            part = self.parts.pop()
            if part == "|":
                ways += sequence
                sequence = ((),)
            else:
                sequence = self._extend(sequence, self._element(part))
        return tuple(dict.fromkeys((*ways, *sequence)))

    def _element(self, part: str) -> Run:
        if part == "(":
            ways = self._alternatives()
            if not self.parts or self.parts[-1][0] != ")":
                raise self._error("a ( is not closed, or holds a gap")
            part = self.parts.pop()
            if () in ways:
                raise self._error("an alternative is empty; write (a|b)? for what may be left out")
        elif part[0] == "<":
            ways = self._group(part[1:].rstrip(">?"))
        else:
            return _spellings(part)
        return ((), *ways) if part[-1] == "?" else ways

    def _group(self, name: str) -> Run:
        if name not in self.groups:
            raise self._error(f"there is no group {name!r}; groups: {', '.join(sorted(self.groups)) or 'none'}")
        nothing: Run = ((),)
        each = (reduce(self._extend, map(_spellings, choice.split()), nothing) for choice in self.groups[name])
        ways = tuple(dict.fromkeys(words for ways in each for words in ways))
        if () in ways:
            raise self._error(f"the group {name!r} has an empty choice")
        return ways

    def _extend(self, sequence: Run, ways: Run) -> Run:
        if len(sequence) * len(ways) > MAX_VARIANTS:
            raise self._error(f"it stands for more than {MAX_VARIANTS} sequences of words")
        return tuple(dict.fromkeys(head + tail for head in sequence for tail in ways))

    def _error(self, why: str) -> BadConfig:
        return BadConfig(f"{self.where}: the phrase {self.phrase!r} cannot be read: {why}.", "Mend that phrase.")


@cache
def _spellings(word: str) -> Run:
    """Returns the token sequences by which a word can be typed."""
    tokens = tuple(token.text for token in language().tokenizer(word))
    if "'" not in word:
        return (tokens,)
    ways = [tokens, (word,)]  # the tokenizer leaves capitals whole: CAN'T
    if word not in _HOMOGRAPHS:
        ways += [tuple(token.replace("'", "") for token in tokens), (word.replace("'", ""),)]
    return tuple(way for way in dict.fromkeys(ways) if all(way))
