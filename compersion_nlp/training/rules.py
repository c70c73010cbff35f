"""Builds the rules scorer: nothing is fitted, the bundle gets the package's lexicon and cues, or the recipe's."""

from __future__ import annotations

from pathlib import Path

import msgspec

from compersion_nlp.errors import BadConfig
from compersion_nlp.lexicon import compile_lexicon, default_lexicon
from compersion_nlp.scorers.rules import RulesScorer
from compersion_nlp.stance import compile_cues, default_cues
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files to use in place of the package's own ``lexicon.toml`` and ``cues.toml``."""

    lexicon: Path | None = None
    cues: Path | None = None


def fit(options: Options, part: Part, labels: tuple[str, ...], setting: Setting) -> RulesScorer:
    """Returns the scorer for ``labels``; passages and setting change nothing.

    Raises BadConfig if a file cannot be read, breaks its schema or lacks a label.
    """
    lexicon = compile_lexicon(_read(options.lexicon), str(options.lexicon)) if options.lexicon else default_lexicon()
    if missing := [label for label in labels if label not in lexicon.labels]:
        raise BadConfig(f"The lexicon has no entry for {', '.join(missing)}.", "Add labels.<name> to it.")
    cues = compile_cues(_read(options.cues), str(options.cues)) if options.cues else default_cues()
    return RulesScorer(labels, lexicon, cues)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(
            f"{path} cannot be read: {error}.", "Name a TOML file in UTF-8, or leave the option out."
        ) from error
