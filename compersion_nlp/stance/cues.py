"""Cue rules and the judge that applies them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

import msgspec

from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.lexicon import COMPILED_KEPT, Hit, read_toml
from compersion_nlp.phrases import Found, PhraseBook, Tokens
from compersion_nlp.stance.quotation import Quotations

MAX_SCOPE = 60

Gives = Literal["self", "other", "general", "felt", "past", "denied", "hypothetical"]
WHO = frozenset(("self", "other", "general"))  # whose feeling it is: the nearest cue says
HOW = ("past", "felt", "hypothetical", "denied")  # how it stands: the first of these that any cue says


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What some phrases say of the mentions near them.

    ``looks`` is where the mention stands, seen from the cue; a mention around or inside which the
    cue stands is near in any direction. ``within`` is the scope in tokens. A cue that ``crosses``
    is not held up by stops, nor by the ends of sentences. A ``final`` one, an answer, decides alone.
    """

    gives: Gives
    phrases: tuple[str, ...]
    looks: Literal["forward", "backward", "both"] = "forward"
    within: int = 8
    labels: tuple[str, ...] = ()
    crosses: bool = False
    final: bool = False


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Phrases that end the scope of cues; ``ends`` names whose."""

    phrases: tuple[str, ...]
    ends: tuple[Gives, ...]


class Pseudo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Phrases that look like cues of whose feeling it is, or of how it stands, and are not."""

    who: tuple[str, ...] = ()
    how: tuple[str, ...] = ()


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a capitalised word is taken for the name of somebody who feels."""

    verbs: tuple[str, ...]
    not_names: tuple[str, ...]
    within: int = 8
    within_at_start: int = 3


class CuesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of ``cues.toml``; ``own_words`` holds the writer's reports of their own speech."""

    format: int
    rules: tuple[Rule, ...]
    names: Names
    stops: tuple[Stop, ...] = ()
    groups: dict[str, tuple[str, ...]] = {}
    pseudo: Pseudo = Pseudo()
    own_words: tuple[str, ...] = ()


class Modifier(NamedTuple):
    """A cue in a text: its tokens ``start`` to ``end``, and its scope ``left`` to ``right``."""

    gives: str
    start: int
    end: int
    left: int
    right: int
    labels: tuple[str, ...] = ()
    final: bool = False

    def covers(self, hit: Hit) -> bool:
        """Returns whether the mention stands in the scope, and does not itself hold the cue."""
        if self.labels and hit.label not in self.labels:
            return False
        if hit.start <= self.start and self.end <= hit.end:
            return self.gives == "self"  # "I felt small" is about me, though the cue is part of it
        reaches = self.right > self.end or hit.end <= self.end
        return self.left <= hit.start < self.right and reaches

    def distance(self, hit: Hit) -> tuple[int, int]:
        """Returns how far the cue stands from the mention; of two as far, the longer is nearer."""
        return max(hit.start - self.end, self.start - hit.end, 0), self.start - self.end


class Cues:
    """Judges the stance of mentions; compiled from the text of a ``cues.toml``.

    Raises BadConfig, with the path of the key, if the text breaks the schema or a phrase its syntax.
    """

    def __init__(self, source: str, name: str = "cues.toml") -> None:
        content = read_toml(source, CuesFile, name)
        self.source = source
        self._names = content.names
        for number, rule in enumerate(content.rules):
            _check_rule(rule, f"{name}: rules[{number}]")
        self._verbs = frozenset(content.names.verbs)
        self._not_names = frozenset(content.names.not_names)
        entries: list[tuple[str, Rule | Stop | str]] = [(phrase, "own") for phrase in content.own_words]
        entries += [(phrase, "who") for phrase in content.pseudo.who]
        entries += [(phrase, "how") for phrase in content.pseudo.how]
        parts: tuple[Rule | Stop, ...] = (*content.rules, *content.stops)
        entries += [(phrase, part) for part in parts for phrase in part.phrases]
        self._parts = [part for _, part in entries]
        self._book = PhraseBook([phrase for phrase, _ in entries], content.groups, name)

    def judge(self, tokens: Tokens, hits: Sequence[Hit]) -> list[str]:
        """Returns the stance of each mention."""
        if not hits:
            return []
        found = self._book.find(tokens)
        quotations = Quotations(tokens, [place for place in found if self._parts[place.phrase] == "own"])
        modifiers = sorted(self._modifiers(tokens, found, quotations), key=lambda modifier: modifier.start)
        starts = [modifier.start for modifier in modifiers]
        stances = []
        for hit in hits:
            if quotations.holds(hit.start):
                stances.append("other")
                continue
            near = modifiers[bisect_left(starts, hit.start - 2 * MAX_SCOPE) : bisect_right(starts, hit.end + MAX_SCOPE)]
            stances.append(_stance(hit, [modifier for modifier in near if modifier.covers(hit)]))
        return stances

    def _modifiers(self, tokens: Tokens, found: list[Found], quotations: Quotations) -> Iterator[Modifier]:
        stops = self._stops(tokens, found, quotations)
        for place, rule in _unblocked([(place, self._parts[place.phrase]) for place in found]):
            left, right = place.start, place.end
            if rule.looks != "backward":
                right = min(place.end + rule.within, len(tokens))
            if rule.looks != "forward":
                left = max(place.start - rule.within, 0)
            if not rule.crosses:
                left, right = _cut(stops[rule.gives], left, place.start, place.end, right)
            yield Modifier(rule.gives, place.start, place.end, left, right, rule.labels, rule.final)
        for start, within in self._find_names(tokens):
            left, right = _cut(stops["other"], start, start, start + 1, start + 1 + within)
            yield Modifier("other", start, start + 1, left, right)

    def _stops(self, tokens: Tokens, found: list[Found], quotations: Quotations) -> dict[str, list[int]]:
        """Returns, for each kind of cue, the tokens that end its scope, in order."""
        breaks = [number for number, word in enumerate(tokens.lower) if "\n" in word] + quotations.edges
        stops: dict[str, list[int]] = defaultdict(lambda: list(breaks))
        for gives in (*WHO, *HOW):
            stops[gives] = list(breaks)
        for place in found:
            part = self._parts[place.phrase]
            if isinstance(part, Stop):
                for gives in part.ends:
                    stops[gives].append(place.start)
        for ends in stops.values():
            ends.sort()
        return stops

    def _find_names(self, tokens: Tokens) -> Iterator[tuple[int, int]]:
        """Yields the capitalised words that a verb of being or feeling follows, each with its scope."""
        for number in range(len(tokens) - 1):
            shape = tokens.shapes[number]
            if not (shape.istitle() and shape.isalpha()):
                continue
            if tokens.lower[number + 1] in self._verbs and tokens.lower[number] not in self._not_names:
                opens = number == 0 or not tokens.shapes[number - 1].isalnum()
                yield number, self._names.within_at_start if opens else self._names.within


def _stance(hit: Hit, modifiers: Sequence[Modifier]) -> str:
    """Returns the stance that the cues around a mention give it.

    Someone else's feeling is theirs whether they feel it, deny it or are over it; what is imagined
    is imagined whoever it is about.
    """
    if final := [cue for cue in modifiers if cue.final]:
        return min(final, key=lambda cue: cue.distance(hit)).gives
    whose = min((cue for cue in modifiers if cue.gives in WHO), key=lambda cue: cue.distance(hit), default=None)
    said = {cue.gives for cue in modifiers}
    how = next((gives for gives in HOW if gives in said), FELT)
    if how == "hypothetical" or whose is None or whose.gives == "self" or (how == FELT and FELT in said):
        return how
    return whose.gives


def _unblocked(cues: list[tuple[Found, object]]) -> Iterator[tuple[Found, Rule]]:
    """Yields the cues that no longer cue of their kind holds, and that begin inside no pseudo cue.

    A cue for some labels only holds up no other.
    """
    reach = {"who": -1, "how": -1}  # how far the cues so far go
    blocked = {"who": -1, "how": -1, "own": -1}  # how far the pseudo cues so far go
    for place, part in sorted(cues, key=lambda cue: (cue[0].start, -cue[0].end, not isinstance(cue[1], str))):
        if isinstance(part, str):
            blocked[part] = max(blocked[part], place.end)
        elif isinstance(part, Rule):
            kind = "who" if part.gives in WHO else "how"
            if place.end > reach[kind] and place.start >= blocked[kind]:
                if not part.labels:
                    reach[kind] = place.end
                yield place, part


def _cut(stops: list[int], left: int, start: int, end: int, right: int) -> tuple[int, int]:
    """Returns a scope cut at the nearest stops on either side of its cue."""
    after = bisect_left(stops, end)
    before = bisect_left(stops, start) - 1
    if after < len(stops):
        right = min(right, stops[after])
    if before >= 0:
        left = max(left, stops[before] + 1)
    return left, max(right, end)


def _check_rule(rule: Rule, path: str) -> None:
    if not 0 <= rule.within <= MAX_SCOPE:
        raise BadConfig(f"{path}.within is {rule.within}.", f"A scope is 0 to {MAX_SCOPE} tokens.")
    for label in rule.labels:
        if label not in SCHEME.labels:
            raise BadConfig(f"{path}.labels: {label!r} is no label.", f"Labels: {', '.join(SCHEME.names)}.")


@lru_cache(maxsize=COMPILED_KEPT)
def compile_cues(source: str, name: str = "cues.toml") -> Cues:
    """Returns the cues of a source; the last few are kept, since a bundle's are mostly the package's own."""
    return Cues(source, name)


def default_cues() -> Cues:
    """Returns the package's own cues."""
    return compile_cues(_default_source())


@cache
def _default_source() -> str:
    return files("compersion_nlp").joinpath("cues.toml").read_text("utf-8")
