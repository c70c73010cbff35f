"""Annotations with the place where they stand, and what is found wrong with them."""

from __future__ import annotations

import msgspec

from compersion_nlp.folding import fold
from compersion_nlp.records import Annotation


class Problem(msgspec.Struct, frozen=True):
    """One thing to mend: which check found it, where, and what it is."""

    check: str
    where: str
    message: str


class Placed(msgspec.Struct, frozen=True):
    """An annotation and the file and line where it stands."""

    file: str
    line: int
    annotation: Annotation

    @property
    def where(self) -> str:
        """File and line, for a message."""
        return f"{self.file}, line {self.line}"


def plain(text: str) -> str:
    """Returns the text folded, in lower case, with single spaces: what two passages are compared by."""
    return " ".join(fold(text).casefold().split())
