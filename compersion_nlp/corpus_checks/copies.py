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
# its threshold lies lower, so that hardly a pair is missed.
CANDIDATE = 0.3
PERMUTATIONS = 64

SHORTEST_SIGN = 4  # words; a shorter phrase of the scheme is anybody's


def near_duplicates(placed: Sequence[Placed]) -> Iterator[Problem]:
    """Yields pairs in different groups: a split would part them, and training would see the answer.

    Raises MissingExtra without datasketch.
    """
    kept = [item for item in placed if item.annotation.text.strip()]
    for left, right, likeness in alike([plain(item.annotation.text) for item in kept]):
        one, other = kept[left], kept[right]
        if one.annotation.group != other.annotation.group:
            yield Problem(
                "duplicates",
                other.where,
                f"{other.annotation.id} reads like {one.annotation.id} ({one.where}; likeness {likeness:.2f})"
                " but has another group",
            )


def alike(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Yields the places of two texts, the lower first, and their likeness, from NEAR_DUPLICATE to 1."""
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
        for left in sorted(cast("list[int]", seen.query(found))):
            likeness = len(shingles[left] & shingles[right]) / len(shingles[left] | shingles[right])
            if likeness >= NEAR_DUPLICATE:
                yield left, right, likeness
        seen.insert(right, found)


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
