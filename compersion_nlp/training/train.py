"""From a recipe to a bundle: read, fit, calibrate, score honestly, write.

Thresholds and calibrations are fitted on passages that the scorer was not fitted on, through the same
windows and aggregate as the tagger; the scores come from numbers fitted on other groups again.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from compersion_nlp.bundle import Bundle, Manifest, open_bundle, write_bundle
from compersion_nlp.bundle.store import INDEX, pin_bundle
from compersion_nlp.decision import Decision, cross_fit, fit_decision
from compersion_nlp.errors import BadConfig
from compersion_nlp.evaluate import Evaluation, Predictions, evaluate, stance_places
from compersion_nlp.scorers.protocol import SavableScorer
from compersion_nlp.training.card import CARD, write_card
from compersion_nlp.training.data import Data, Part, read_data
from compersion_nlp.training.judging import Fitted, decide_unfelt, fit_folds, fit_once, keep
from compersion_nlp.training.recipe import RECIPE, Recipe, find_fitter, read_recipe, resolve
from compersion_nlp.training.report import make_reports, plain, read_report
from compersion_nlp.training.setting import Progress, Setting, say_nothing

LIBRARIES = ("compersion-nlp", "numpy", "onnxruntime", "scikit-learn", "scipy", "spacy", "tokenizers")
TRAINING_LIBRARIES = ("onnx", "torch", "transformers")  # of an encoder


def train(
    recipe_path: Path,
    output: Path | None = None,
    progress: Progress = say_nothing,
    data_dir: Path | None = None,
    keep_scorer: bool = False,
) -> Manifest:
    """Trains what a recipe says, writes the bundle and returns its manifest.

    ``output`` is by default the recipe's own folder. Where the folder above holds an index of bundles, the new
    manifest is pinned there. ``progress`` is told each step. ``data_dir`` holds public sets and pretrained networks;
    what is not there comes from the hub. With ``keep_scorer`` nothing is fitted anew but calibrations and thresholds:
    the scorer is that of the bundle in ``output``. The same recipe and corpora give the same bytes; an encoder's,
    on the same processor and libraries.
    Raises BadConfig if recipe or corpora are not sound, and BadBundle if the folder holds something else.
    """
    output = output or _own_folder(recipe_path)
    recipe = read_recipe(recipe_path)
    fitter, options = find_fitter(recipe, recipe_path)
    progress("Reading corpora")
    data = read_data(recipe, recipe_path.parent, data_dir)
    report = read_report(recipe, recipe_path.parent, data)
    setting = Setting(recipe.seed, data_dir, progress)

    def fit(part: Part) -> SavableScorer:
        return fitter.fit(options, part, recipe.labels, setting)

    kept = open_bundle(output, edited=(RECIPE,)) if keep_scorer else None
    with threadpool_limits(1, user_api="blas"):  # how a sum is parted among threads decides its last digit
        if kept is not None:
            fitted = keep(recipe, data, kept)
        elif recipe.data.folds is None:
            fitted = fit_once(recipe, data, fit, progress)
        else:
            fitted = fit_folds(recipe, data.train, recipe.data.folds, fit, progress)
    progress("Calibrating and scoring")
    how = f"{fitted.how} {recipe.caveat}".rstrip()
    decision = fit_decision(recipe.labels, fitted.logits, fitted.judged.gold, recipe.most_false_alarms)
    evaluation = evaluate(_cross_fitted(recipe, fitted, decision), seed=recipe.seed)
    scores = _scores(evaluation, how) | _scores_in_full(recipe, fitted, kept)
    manifest = _manifest(recipe, resolve(recipe, options), data, decision, scores)
    manifest = msgspec.structs.replace(manifest, mentioned=decide_unfelt(recipe, fitted))
    reports = make_reports(report, Bundle(manifest, fitted.scorer, output, ""), recipe.seed, progress)
    manifest = msgspec.structs.replace(manifest, reports=tuple(plain(report) for report in reports))
    progress("Writing the bundle")
    files = {RECIPE: recipe_path.read_bytes(), CARD: write_card(manifest, evaluation, how, reports).encode()}
    manifest = write_bundle(output, manifest, fitted.scorer, files)
    if (output.absolute().parent / INDEX).is_file():
        pin_bundle(output.absolute().parent, output.absolute().name)
    return manifest


def _own_folder(recipe_path: Path) -> Path:
    if recipe_path.name != RECIPE:
        raise BadConfig(
            f"{recipe_path} is not called {RECIPE}, so its folder is not taken for the bundle's.",
            f"Say where the bundle goes, or put the recipe into a folder of its own as {RECIPE}.",
        )
    return recipe_path.absolute().parent


IN_FULL = "macro_f1_in_full_precision"


def _scores_in_full(recipe: Recipe, fitted: Fitted, kept: Bundle | None) -> dict[str, Any]:
    """Returns the macro F1 of the same scorer before its weights were made smaller, where it is known."""
    if kept is not None:
        return {IN_FULL: found} if (found := (kept.manifest.scores or {}).get(IN_FULL)) is not None else {}
    if fitted.original is None:
        return {}
    whole = msgspec.structs.replace(fitted, logits=fitted.original)
    decision = fit_decision(recipe.labels, whole.logits, whole.judged.gold, recipe.most_false_alarms)
    return {IN_FULL: evaluate(_cross_fitted(recipe, whole, decision), resamples=1, seed=recipe.seed).macro.f1}


def _cross_fitted(recipe: Recipe, fitted: Fitted, decision: Decision) -> Predictions:
    judged = fitted.judged
    answers = cross_fit(
        recipe.labels,
        fitted.logits,
        judged.gold,
        judged.groups,
        seed=recipe.seed,
        most_false_alarms=recipe.most_false_alarms,
    )
    unknown = np.flatnonzero(np.isnan(judged.gold).all(axis=0))
    return Predictions(
        model=f"{recipe.name}@{recipe.version}",
        corpus=", ".join(judged.names),
        sha256="",
        labels=recipe.labels,
        probabilities=answers.probabilities,
        decided=answers.decided,
        gold=judged.gold,
        stances=stance_places(judged.annotations, recipe.labels),
        annotations=judged.annotations,
        unannotated=tuple(recipe.labels[column] for column in unknown),
        provisional=tuple(label for label, numbers in decision.by_label.items() if numbers.provisional),
    )


def _manifest(
    recipe: Recipe, resolved: dict[str, Any], data: Data, decision: Decision, scores: dict[str, Any]
) -> Manifest:
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        scorer=recipe.scorer.name,
        labels=recipe.labels,
        decision=decision.by_label,
        description=recipe.description,
        licence=recipe.licence,
        window=recipe.window,
        aggregate=recipe.aggregate,
        seed=recipe.seed,
        recipe=resolved,
        corpora=data.uses,
        libraries={"python": platform.python_version()} | _versions(),
        scores=scores,
    )


def _versions() -> dict[str, str]:
    """Returns the versions of the libraries that had a part in it; those for training only where they were loaded."""
    loaded = (name for name in TRAINING_LIBRARIES if name in sys.modules)
    return {name: version(name) for name in (*LIBRARIES, *loaded)}


def _scores(evaluation: Evaluation, how: str) -> dict[str, Any]:
    """Returns what a manifest keeps of an evaluation; a figure that is not defined is None."""
    kept = {
        "how": how,
        "corpora": evaluation.corpus,
        "passages": evaluation.passages,
        "groups": evaluation.groups,
        "resamples": evaluation.resamples,
        "macro_f1": evaluation.macro.f1,
        "macro_f1_interval": evaluation.macro.f1_interval,
        "micro_f1": evaluation.micro.f1,
        "micro_f1_interval": evaluation.micro.f1_interval,
        "macro_average_precision": evaluation.macro.average_precision,
        "macro_average_precision_interval": evaluation.macro.average_precision_interval,
        "calibration_error": evaluation.micro.calibration_error,
        "labels": {
            row.name: {
                "support": row.support,
                "f1": row.f1,
                "f1_interval": row.f1_interval,
                "average_precision": row.average_precision,
            }
            for row in evaluation.labels
        },
    }
    return plain(kept)
