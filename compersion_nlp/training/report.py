"""What a finished bundle is measured on for its card: corpora that nothing was fitted on, and behavioural tests.

The figures are those of ``compersion evaluate`` for the same bundle, by the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from compersion_nlp.bundle import Bundle
from compersion_nlp.corpus import Corpus
from compersion_nlp.evaluate import (
    Behaviour,
    Evaluation,
    Explanations,
    Marked,
    Tests,
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

Result = Evaluation | Explanations | Behaviour


class Report(msgspec.Struct, frozen=True):
    """What to measure: corpora, each with the evidence marked for it if there is any, and behavioural tests."""

    corpora: tuple[tuple[Corpus, Marked | None], ...]
    behaviour: Tests | None


def read_report(recipe: Recipe, folder: Path, data: Data) -> Report:
    """Returns what the recipe's ``report`` names, read before anything is fitted: no mistake shows hours later."""
    corpora = tuple((corpus, find_marks(folder / path)) for path, corpus in data.reports)
    tests = recipe.report.behaviour
    return Report(corpora, None if tests is None else read_behaviour(folder / tests))


def make_reports(report: Report, bundle: Bundle, seed: int, progress: Progress) -> Sequence[Result]:
    """Returns how the finished bundle does; explanations are judged where evidence is marked."""
    tagger = Tagger(bundle)
    results: list[Result] = []
    for corpus, marked in report.corpora:
        progress(f"Measuring on {corpus.name}")
        results.append(evaluate(predict(tagger, corpus), seed=seed))
        if marked is not None:
            results.append(judge_explanations(tagger, corpus, marked))
    if report.behaviour is not None:
        progress("Testing behaviour")
        results.append(run_behaviour(tagger, report.behaviour))
    return results


def plain(value: Any) -> dict[str, Any]:
    """Returns a struct or mapping as plain JSON values; a figure that is not defined is None."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))  # JSON has no nan: it becomes None
    return decoded
