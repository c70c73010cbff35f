"""What a finished bundle is measured on for its card: corpora that nothing was fitted on, and behavioural tests.

The figures are those of ``compersion evaluate`` for the same bundle, by the same functions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from compersion_nlp.bundle import Bundle
from compersion_nlp.corpus import is_public, read_corpus
from compersion_nlp.errors import BadConfig
from compersion_nlp.evaluate import (
    Behaviour,
    Evaluation,
    Explanations,
    evaluate,
    find_marks,
    judge_explanations,
    predict,
    read_behaviour,
    run_behaviour,
)
from compersion_nlp.tagger import Tagger
from compersion_nlp.training.data import Data
from compersion_nlp.training.recipe import Recipe
from compersion_nlp.training.setting import Progress

Report = Evaluation | Explanations | Behaviour


def make_reports(
    recipe: Recipe, recipe_path: Path, data: Data, bundle: Bundle, data_dir: Path | None, progress: Progress
) -> list[Report]:
    """Returns how the finished bundle does on what the recipe's ``report`` names.

    Explanations are judged on corpora beside which evidence is marked. Raises BadConfig if a corpus was fitted on.
    """
    tagger = Tagger(bundle)
    reports: list[Report] = []
    for name in recipe.report.corpora:
        path = recipe_path.parent / name
        corpus = read_corpus(path, data_dir)
        if corpus.sha256 in {use.sha256 for use in data.uses.values()}:
            raise BadConfig(
                f"{recipe_path}: report.corpora: {name} is also in data.",
                "Report on passages that nothing was fitted on.",
            )
        progress(f"Measuring on {corpus.name}")
        reports.append(evaluate(predict(tagger, corpus), seed=recipe.seed))
        if not is_public(path) and (marked := find_marks(path)) is not None:
            reports.append(judge_explanations(tagger, corpus, marked))
    if recipe.report.behaviour is not None:
        progress("Testing behaviour")
        reports.append(run_behaviour(tagger, read_behaviour(recipe_path.parent / recipe.report.behaviour)))
    return reports


def plain(value: Any) -> dict[str, Any]:
    """Returns a struct or mapping as plain JSON values; a figure that is not defined is None."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))  # JSON has no nan: it becomes None
    return decoded
