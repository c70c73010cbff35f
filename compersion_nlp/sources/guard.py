"""The formula guard: an apostrophe before a cell that a spreadsheet would run instead of show.

See OWASP, "CSV Injection". A plain number such as ``-3.5`` is no formula and stays as it is. Guarding
can be undone: a cell that already looks guarded gets one more apostrophe.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def guard(cell: str) -> str:
    """Returns ``cell`` as a spreadsheet shows it.

    >>> guard("=1+1"), guard("-3.5")
    ("'=1+1", '-3.5')
    """
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def unguard(cell: str) -> str:
    """Returns the cell that ``guard`` was given.

    >>> unguard("'=1+1")
    '=1+1'
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
