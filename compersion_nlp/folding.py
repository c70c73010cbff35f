"""Folding: look-alike characters made plain, one for one, so that every offset stays where it was.

Apart from ``text``, so that a scorer can fold without loading spaCy.
"""

from __future__ import annotations

import re

_FOLDS = {
    "'": "\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4`",
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    ".": "\u2026",
    " ": "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    + "".join(chr(code) for code in (*range(9), *range(11, 13), *range(14, 32), 127)),
    "\n": "\u2028\u2029\u0085",
}
_FOLD_TABLE = str.maketrans({odd: plain for plain, odds in _FOLDS.items() for odd in odds})
_SURROGATE = re.compile("[\ud800-\udfff]")


def fold(text: str) -> str:
    """Returns ``text`` with look-alike characters made plain, at the same length.

    Typographic quotes and dashes become ASCII ones; no-break, zero-width, directional and control
    characters become spaces; every line end becomes a newline; a lone surrogate becomes U+FFFD.

    >>> fold("I\u2019m fine\u2026")
    "I'm fine."
    """
    folded = text.translate(_FOLD_TABLE).replace("\r\n", " \n").replace("\r", "\n")
    return folded if folded.isascii() else _SURROGATE.sub("\ufffd", folded)
