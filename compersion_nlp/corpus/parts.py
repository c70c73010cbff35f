"""A corpus's marks as an array, splits and folds that keep groups whole, and lengths."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.records import Annotation


def gold(
    annotations: Sequence[Annotation], labels: Sequence[str], known: Iterable[str] = SCHEME.names
) -> npt.NDArray[np.float32]:
    """Returns the marks as float32 of shape (n, L): 1 felt, 0 not felt, nan for labels not in ``known``."""
    annotated = set(known)
    marks = [[float(annotation.feelings.get(label) == FELT) for label in labels] for annotation in annotations]
    array = np.array(marks, dtype=np.float32).reshape(len(annotations), len(labels))
    array[:, [label not in annotated for label in labels]] = np.nan
    return array


def split_by_group(
    annotations: Sequence[Annotation], share: float, seed: int
) -> tuple[tuple[Annotation, ...], tuple[Annotation, ...]]:
    """Returns (rest, held out), both in the order given; no group has passages in both.

    Groups are taken in an order drawn from the seed and their names alone, as long as they fit:
    the part held out has at most ``share`` of the passages, and falls short of it by less than the
    size of one group. Raises BadConfig unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise BadConfig(f"The share held out is {share}.", "It lies between 0 and 1, both excluded.")
    sizes = Counter(annotation.group for annotation in annotations)
    room = share * len(annotations)
    held: set[str] = set()
    for group in sorted(sizes, key=lambda group: _draw(group, seed)):
        if sizes[group] <= room:
            held.add(group)
            room -= sizes[group]
    return (
        tuple(annotation for annotation in annotations if annotation.group not in held),
        tuple(annotation for annotation in annotations if annotation.group in held),
    )


def deal_folds(groups: Sequence[str], folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Returns the fold, 0 to ``folds - 1``, of each passage; a group is in one fold.

    Raises BadConfig if there are fewer groups than folds.
    """
    names = sorted(set(groups), key=lambda group: _draw(group, seed))
    if len(names) < folds:
        raise BadConfig(f"There are {len(names)} groups for {folds} folds.", "Add passages, or ask for fewer folds.")
    fold_of = {name: place % folds for place, name in enumerate(names)}
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def _draw(group: str, seed: int) -> bytes:
    # A hash, not a generator: adding passages to a corpus leaves the order of the others alone.
    return hashlib.sha256(f"{seed}\0{group}".encode(errors="surrogatepass")).digest()


def word_count(text: str) -> int:
    """Returns the number of words, parted by white space."""
    return len(text.split())


LENGTH_BANDS = ("under 20 words", "20 to 59 words", "60 to 149 words", "150 words and more")
_BAND_STARTS = (20, 60, 150)


def length_band(words: int) -> str:
    """Returns the band that a passage of so many words falls in.

    >>> length_band(20)
    '20 to 59 words'
    """
    return LENGTH_BANDS[sum(words >= start for start in _BAND_STARTS)]
