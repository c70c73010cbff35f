"""What a bundle did on behavioural tests: a row a slice, totals, and the tests that failed."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

from compersion_nlp.evaluate.resampling import Interval

MOVES = 0.1  # how far a probability has to go in the direction expected, if the decision does not change
ALL = "all"  # the name of a total


class FunctionalityRow(msgspec.Struct, frozen=True):
    """How many texts were read right."""

    slice: str
    tests: int
    passed: int
    rate: float
    interval: Interval | None


class DirectionRow(msgspec.Struct, frozen=True):
    """How many changes moved the label right, and by how much on average.

    ``shift`` is the mean of what the changed text adds to the label's probability. ``shift_as_expected`` is the same
    with the sign turned where the label is expected to fall, so that it says something of a slice with both.
    """

    slice: str
    pairs: int
    right: int
    rate: float
    interval: Interval | None
    shift: float
    shift_as_expected: float


class InvarianceRow(msgspec.Struct, frozen=True):
    """What changed that should not have.

    A cell is one label of one pair. ``flips`` is the share of cells decided differently, ``any_flip`` the share of
    pairs with at least one such cell. Shifts are absolute, over all cells.
    """

    slice: str
    pairs: int
    cells: int
    flipped_cells: int
    flips: float
    flipped_pairs: int
    any_flip: float
    any_flip_interval: Interval | None
    mean_shift: float
    largest_shift: float


AnyRow = TypeVar("AnyRow", FunctionalityRow, DirectionRow, InvarianceRow)


class Part(msgspec.Struct, Generic[AnyRow], frozen=True):
    """One kind of test: a row a slice, in the order of the file, and the total over all its tests."""

    rows: tuple[AnyRow, ...]
    total: AnyRow


class Miss(msgspec.Struct, frozen=True):
    """One label of a failed test: ``read`` and ``probabilities`` are of its text, or of the text and the changed one.

    ``expected`` is "felt" or "not felt" of a text; "falls", "rises" or "same" of a pair.
    """

    label: str
    expected: str
    read: tuple[str, ...]
    probabilities: tuple[float, ...]


class Failure(msgspec.Struct, frozen=True):
    """A failed test with the labels that failed it, and nothing of its text."""

    id: str
    kind: Literal["functionality", "direction", "invariance"]
    slice: str
    misses: tuple[Miss, ...]


class Behaviour(msgspec.Struct, frozen=True):
    """One bundle on one folder of behavioural tests; a kind that the folder does not have is None.

    ``labels`` are those the bundle reads. ``unread`` counts the tests that name a label which it does not read: the
    label is left out of them. ``skipped`` counts those tests of which nothing was left. Rates over nothing are nan.
    """

    model: str
    folder: str
    sha256: str
    labels: tuple[str, ...]
    functionality: Part[FunctionalityRow] | None
    direction: Part[DirectionRow] | None
    invariance: Part[InvarianceRow] | None
    failures: tuple[Failure, ...]
    unread: dict[str, int]
    skipped: int
    moves: float = MOVES
