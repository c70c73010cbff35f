"""Whose feeling a mention is, and whether it is felt at all: the six stances.

In the manner of ConText (Chapman, Chu and Dowling, "ConText: an algorithm for identifying
contextual features from clinical text", 2007; Harkema et al., "ConText: an algorithm for
determining negation, experiencer, and temporal status from clinical reports", 2009): cue rules,
each with a direction and a scope, that stop words cut short and pseudo cues block. The inventory,
in ``cues.toml``, is our own: clinical notes are written about patients, ours by the one who feels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compersion_nlp.lexicon import Lexicon, default_lexicon
from compersion_nlp.phrases import Tokens
from compersion_nlp.records import Mention
from compersion_nlp.stance.cues import Cues, compile_cues, default_cues

if TYPE_CHECKING:
    from spacy.tokens import Doc

__all__ = ["Cues", "compile_cues", "default_cues", "find_mentions"]


def find_mentions(doc: Doc, lexicon: Lexicon | None = None, cues: Cues | None = None) -> tuple[Mention, ...]:
    """Returns every place where a text names or describes a feeling, with its stance there.

    ``doc`` comes from ``text.parse``; spans point into the text as it came in. Mentions are in the
    order of the text, none twice, and none of one label overlap.
    """
    tokens = Tokens(doc)
    hits = (lexicon or default_lexicon()).find(tokens)
    stances = (cues or default_cues()).judge(tokens, hits)
    found = (
        Mention(hit.label, stance, tokens.span(hit.start, hit.end)) for hit, stance in zip(hits, stances, strict=True)
    )
    return tuple(sorted(found, key=lambda mention: (mention.span, mention.label)))
