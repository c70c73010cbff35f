"""Reads feelings in what people write about love: what the writer feels, and which sentences show it.

>>> import compersion_nlp
>>> len(compersion_nlp.SCHEME.labels)
23
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compersion_nlp.labels import SCHEME as SCHEME
    from compersion_nlp.records import Passage as Passage
    from compersion_nlp.records import Reading as Reading
    from compersion_nlp.records import Span as Span
    from compersion_nlp.scorers.protocol import Scorer as Scorer
    from compersion_nlp.scorers.protocol import check_scorer as check_scorer
    from compersion_nlp.tagger import Tagger as Tagger
    from compersion_nlp.tagger import load as load

__version__ = "0.1.0"

# Imported on first use, so that the face of the package costs nothing: neither spaCy nor
# scikit-learn is loaded until a tagger is.
_HOMES = {
    "SCHEME": "labels",
    "Passage": "records",
    "Reading": "records",
    "Span": "records",
    "Scorer": "scorers.protocol",
    "check_scorer": "scorers.protocol",
    "Tagger": "tagger",
    "load": "tagger",
}
__all__ = ["SCHEME", "Passage", "Reading", "Scorer", "Span", "Tagger", "__version__", "check_scorer", "load"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
