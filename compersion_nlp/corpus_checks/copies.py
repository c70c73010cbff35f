"""Passages that read like another, and passages that hold an example of the label scheme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from compersion_nlp.corpus_checks.placed import Placed, Problem, plain
from compersion_nlp.errors import MissingExtra
from compersion_nlp.labels import SCHEME

SHINGLE = 5  # characters

# Jaccard likeness of the sets of character 5-grams. Of pairs that were written to differ in a few words, nine in ten
# reach it; passages that have nothing to do with each other stay under 0.15.
NEAR_DUPLICATE = 0.4

# MinHash (Broder, 1997) with locality-sensitive hashing only finds the candidates, and their likeness is then counted:
# its threshold lies lower, so that 96 % of the pairs at NEAR_DUPLICATE itself are found, and more above.
CANDIDATE = 0.25
PERMUTATIONS = 128

SHORTEST_SIGN = 4  # words; a shorter phrase of the scheme is anybody's


def near_duplicates(placed: Sequence[Placed]) -> Iterator[Problem]:
    """Yields passages that read like one of another group: a split would part them, and training see the answer.

    Each is told once, beside the one it is likest to. Raises MissingExtra without datasketch.
    """
    kept = [item for item in placed if item.annotation.text.strip()]
    texts = [plain(item.annotation.text) for item in kept]
    for left, right, likeness in alike(texts, [item.annotation.group for item in kept]):
        one, other = kept[left], kept[right]
        yield Problem(
            "duplicates",
            other.where,
            f"{other.annotation.id} reads like {one.annotation.id} ({one.where}; likeness {likeness:.2f})"
            " but has another group",
        )


def alike(texts: Sequence[str], groups: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Yields the place of the likest text of another group before a text, the text's own place, and their likeness.

    Texts that are like none are left out; the likeness lies between NEAR_DUPLICATE and 1. A text that was told is
    compared with no later one, so that the thousandth copy of a text costs no more than the first.
    """
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        raise MissingExtra("datasketch", "corpora", "Looking for near-duplicates") from None
    shingles = [_shingles(text) for text in texts]
    hashes = MinHash.bulk(
        ([shingle.encode(errors="surrogatepass") for shingle in found] for found in shingles), num_perm=PERMUTATIONS
    )
    seen = MinHashLSH(threshold=CANDIDATE, num_perm=PERMUTATIONS)
    for right, found in enumerate(hashes):
        others = [left for left in cast("list[int]", seen.query(found)) if groups[left] != groups[right]]
        likeness, left = max(((_likeness(shingles[left], shingles[right]), -left) for left in others), default=(0.0, 0))
        if likeness >= NEAR_DUPLICATE:
            yield -left, right, likeness
        else:
            seen.insert(right, found)


def _likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def _shingles(text: str) -> set[str]:
    padded = f"  {text}  "  # a text of one character has a shingle too
    return {padded[start : start + SHINGLE] for start in range(len(padded) - SHINGLE + 1)}


def copied_signs(placed: Sequence[Placed]) -> Iterator[Problem]:
    """Yields passages that hold a phrase which the label scheme gives as an example."""
    for item, sign in signs(placed, short=False):
        yield Problem("signs", item.where, f"{item.annotation.id} holds {sign!r}, an example of the label scheme")


def signs(placed: Sequence[Placed], short: bool) -> Iterator[tuple[Placed, str]]:
    """Yields passages with the examples of the scheme that they hold: the long ones, or the ``short`` ones only."""
    all_signs = [sign for label in SCHEME.labels.values() for sign in label.signs]
    wanted = [sign for sign in all_signs if (len(sign.split()) < SHORTEST_SIGN) == short]
    for item in placed:
        text = plain(item.annotation.text)
        for sign in wanted:
            if plain(sign) in text:
                yield item, sign
