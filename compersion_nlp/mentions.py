"""What is mentioned of a label, by the rules and by a scorer that knows stances, joined into one reading.

Rules find words that name or describe a feeling, each with its place and stance. A scorer that knows stances also sees
feelings that no listed word describes, but says only that a passage holds them. What is decided felt stands above both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.records import Mention, Span


class Learned(NamedTuple):
    """What a scorer says of a label that a text only mentions: its stance, and the sentence that speaks most for it."""

    stance: str
    place: Span


def join_mentions(
    found: Sequence[Mention],
    label: str,
    felt: bool,
    column: int = 0,
    learned: Mapping[int, Learned] | None = None,
) -> tuple[str | None, tuple[Mention, ...]]:
    """Returns the stance of a label in a reading, and its mentions.

    ``found`` are the mentions by the rules. A label that is felt keeps them all; one that is not has no mention that
    says felt. ``learned``, by column, is what a scorer that knows stances says; None stands for one that does not. It
    decides whether there is a mention, and in which stance: the rules' places take that stance where none of them has
    it, and where they have no place, the scorer's sentence does. (On development data it does better alone than with
    the rules' stances.)
    """
    if felt:
        return FELT, tuple(found)
    if learned is None:
        kept = tuple(mention for mention in found if mention.stance != FELT)
        return (SCHEME.strongest([mention.stance for mention in kept]) if kept else None), kept
    if column not in learned:
        return None, ()
    stance, place = learned[column]
    if not found:
        return stance, (Mention(label, stance, place),)
    if any(mention.stance == stance for mention in found):
        return stance, tuple(mention for mention in found if mention.stance != FELT)
    return stance, tuple(Mention(label, stance, mention.span) for mention in found)
