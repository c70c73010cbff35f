"""The lexicon: words that name each feeling, and phrases that show it without naming it.

The entries are data, in ``lexicon.toml``; ``phrases.py`` says how they are written.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import SCHEME
from compersion_nlp.phrases import Found, PhraseBook, Tokens
from compersion_nlp.text import parse

if TYPE_CHECKING:
    from spacy.tokens import Doc

FORMAT = 1
COMPILED_KEPT = 4  # compiling takes a second or two
Schema = TypeVar("Schema", bound=msgspec.Struct)


class Phrases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Phrases by how surely they mean the feeling."""

    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the lexicon knows of one label.

    ``named`` holds the words of the feeling's own family, ``described`` ways of showing it, and
    ``pseudo`` phrases in which such words mean something else.
    """

    named: Phrases = Phrases()
    described: Phrases = Phrases()
    pseudo: tuple[str, ...] = ()


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one strong and one weak phrase count."""

    strong: float = 1.0
    weak: float = 0.4


class LexiconFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``lexicon.toml``. The outer ``pseudo`` holds for all labels."""

    format: int
    labels: dict[str, Entry]
    groups: dict[str, tuple[str, ...]] = {}
    weights: Weights = Weights()
    pseudo: tuple[str, ...] = ()


class Hit(NamedTuple):
    """A place where a feeling is named or described: tokens ``start`` to ``end``."""

    label: str
    start: int
    end: int
    weight: float
    named: bool


class _Sense(NamedTuple):
    """What a phrase of the book stands for; ``label`` None: it blocks every label."""

    label: str | None
    weight: float = 0.0
    named: bool = False
    blocks: bool = False


class Lexicon:
    """Finds where feelings are named or described; compiled from the text of a ``lexicon.toml``.

    Raises BadConfig, with the path of the key, if the text breaks the schema or a phrase its syntax.
    """

    def __init__(self, source: str, name: str = "lexicon.toml") -> None:
        content = read_toml(source, LexiconFile, name)
        for label in content.labels:
            _check_label(label, name)
        self.source = source
        self.groups = content.groups
        self.labels = tuple(label for label in SCHEME.names if label in content.labels)
        entries = list(_entries(content))
        self._senses = [sense for _, sense in entries]
        self._book = PhraseBook([phrase for phrase, _ in entries], content.groups, name)

    def find(self, tokens: Tokens) -> tuple[Hit, ...]:
        """Returns the places where feelings stand, in the order of the text.

        Where phrases of one label overlap, the longest counts. A phrase that a pseudo phrase of its
        label overlaps does not count, unless it is the longer one and holds the other whole.
        """
        return _longest(self._hits(tokens))

    def _hits(self, tokens: Tokens) -> Iterator[Hit]:
        """Yields every phrase that no pseudo phrase blocks, overlapping ones too."""
        found = self._book.find(tokens)
        blocked: dict[int, list[tuple[Found, str | None]]] = defaultdict(list)
        for place in found:
            sense = self._senses[place.phrase]
            if sense.blocks:
                for token in range(place.start, place.end):
                    blocked[token].append((place, sense.label))
        for place in found:
            label, weight, named, blocks = self._senses[place.phrase]
            if blocks or label is None:
                continue
            if not any(
                _outweighs(pseudo, place) and of in (None, label)
                for token in range(place.start, place.end)
                for pseudo, of in blocked.get(token, ())
            ):
                yield Hit(label, place.start, place.end, weight, named)

    def named_in(self, text: Doc | str) -> frozenset[str]:
        """Returns the labels that a text calls by a word of their own family, whatever the stance.

        >>> sorted(default_lexicon().named_in("Jealous? I was over the moon. My stomach dropped."))
        ['jealousy', 'joy']
        """
        tokens = Tokens(parse(text) if isinstance(text, str) else text)
        return frozenset(hit.label for hit in self._hits(tokens) if hit.named)


def _outweighs(pseudo: Found, place: Found) -> bool:
    inside = place.start <= pseudo.start and pseudo.end <= place.end
    return not inside or pseudo.end - pseudo.start == place.end - place.start


def _longest(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """Returns the hits in text order, the longest of each run of overlapping ones of a label."""
    last: dict[str, Hit] = {}
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, -hit.weight, not hit.named)):
        before = last.get(hit.label)
        if before is None or hit.start >= before.end:
            if before is not None:
                kept.append(before)
            last[hit.label] = hit
        elif hit.end - hit.start > before.end - before.start:
            last[hit.label] = hit
    return tuple(sorted((*kept, *last.values()), key=lambda hit: (hit.start, hit.end, hit.label)))


def _entries(content: LexiconFile) -> Iterator[tuple[str, _Sense]]:
    """Yields every phrase with what it stands for."""
    for phrase in content.pseudo:
        yield phrase, _Sense(None, blocks=True)
    for label, entry in content.labels.items():
        for phrase in entry.pseudo:
            yield phrase, _Sense(label, blocks=True)
        for phrases, named in ((entry.named, True), (entry.described, False)):
            for phrase in phrases.strong:
                yield phrase, _Sense(label, content.weights.strong, named)
            for phrase in phrases.weak:
                yield phrase, _Sense(label, content.weights.weak, named)


def read_toml(source: str, schema: type[Schema], name: str) -> Schema:
    """Returns TOML as a value of ``schema``; raises BadConfig with the key's path if it does not fit.

    A TOML file of rules carries ``format``, which must be the one this release reads.
    """
    try:
        raw = tomllib.loads(source)
        content = msgspec.convert(raw, schema)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{name} is not TOML: {error}.", "Mend that line.") from None
    except msgspec.ValidationError as error:
        raise BadConfig(f"{name}: {error}.", "Compare with the file of that name in the package.") from None
    if raw["format"] != FORMAT:
        raise BadConfig(
            f"{name}: format is {raw['format']!r}; this release reads format {FORMAT}.", "Upgrade the package."
        )
    return content


def _check_label(label: str, name: str) -> None:
    if label not in SCHEME.labels:
        raise BadConfig(f"{name}: labels.{label} is no label of the scheme.", f"Labels: {', '.join(SCHEME.names)}.")


@lru_cache(maxsize=COMPILED_KEPT)
def compile_lexicon(source: str, name: str = "lexicon.toml") -> Lexicon:
    """Returns the lexicon of a source; the last few are kept, since a bundle's is mostly the package's own."""
    return Lexicon(source, name)


def default_lexicon() -> Lexicon:
    """Returns the package's own lexicon."""
    return compile_lexicon(_default_source())


@cache
def _default_source() -> str:
    return files("compersion_nlp").joinpath("lexicon.toml").read_text("utf-8")
