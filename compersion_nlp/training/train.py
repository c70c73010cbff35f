"""From a recipe to a bundle: read, fit, calibrate, score honestly, write.

Thresholds and calibrations are fitted on passages that the scorer was not fitted on, through the same
windows and aggregate as the tagger; the scores come from numbers fitted on other groups again.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from compersion_nlp.bundle import Manifest, write_bundle
from compersion_nlp.bundle.store import INDEX, pin_bundle
from compersion_nlp.corpus import deal_folds
from compersion_nlp.decision import Decision, cross_fit, fit_decision
from compersion_nlp.errors import BadConfig
from compersion_nlp.evaluate import Evaluation, Predictions, evaluate, stance_places
from compersion_nlp.scorers.protocol import SavableScorer, Scores
from compersion_nlp.scoring import window_logits
from compersion_nlp.training.card import CARD, write_card
from compersion_nlp.training.data import Data, Part, read_data
from compersion_nlp.training.recipe import RECIPE, Recipe, find_fitter, read_recipe, resolve

Progress = Callable[[str], None]
Fit = Callable[[Part], SavableScorer]

LIBRARIES = ("compersion-nlp", "numpy", "scikit-learn", "scipy", "spacy")

HOW_DEV = (
    "The scorer was fitted on the training passages. Every development passage was decided by a calibration and "
    "thresholds fitted on other groups of them (cross-fitting in 5 folds); the bundle's own are fitted on all of them."
)
HOW_FOLDS = (
    "Every passage was scored by a scorer fitted on the other folds ({folds} folds by group), and decided by a "
    "calibration and thresholds fitted on other groups (cross-fitting in 5 folds); the bundle's own scorer, "
    "calibration and thresholds are fitted on all of them."
)


class Fitted(msgspec.Struct, frozen=True, eq=False):
    """A scorer, and the passages that it may be judged on with their logits of shape (n, L)."""

    scorer: SavableScorer
    judged: Part
    logits: Scores
    how: str


def train(
    recipe_path: Path,
    output: Path | None = None,
    progress: Progress = lambda step: None,
    data_dir: Path | None = None,
) -> Manifest:
    """Trains what a recipe says, writes the bundle and returns its manifest.

    ``output`` is by default the recipe's own folder. Where the folder above holds an index of bundles, the new
    manifest is pinned there. ``progress`` is told each step. ``data_dir`` holds public sets; without it they come from
    the hub. The same recipe and corpora give the same bytes.
    Raises BadConfig if recipe or corpora are not sound, and BadBundle if the folder holds something else.
    """
    output = output or _own_folder(recipe_path)
    recipe = read_recipe(recipe_path)
    fitter, options = find_fitter(recipe, recipe_path)
    progress("Reading corpora")
    data = read_data(recipe, recipe_path.parent, data_dir)

    def fit(part: Part) -> SavableScorer:
        return fitter.fit(options, part.texts, part.gold, recipe.labels, recipe.seed)

    with threadpool_limits(1, user_api="blas"):  # how a sum is parted among threads decides its last digit
        if recipe.data.folds is None:
            fitted = _fit(recipe, data, fit, progress)
        else:
            fitted = _fit_folds(recipe, data.train, recipe.data.folds, fit, progress)
    progress("Calibrating and scoring")
    how = f"{fitted.how} {recipe.caveat}".rstrip()
    decision = fit_decision(recipe.labels, fitted.logits, fitted.judged.gold)
    evaluation = evaluate(_cross_fitted(recipe, fitted, decision), seed=recipe.seed)
    manifest = _manifest(recipe, resolve(recipe, options), data, decision, _scores(evaluation, how))
    progress("Writing the bundle")
    files = {RECIPE: recipe_path.read_bytes(), CARD: write_card(manifest, evaluation, how).encode()}
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


def _fit(recipe: Recipe, data: Data, fit: Fit, progress: Progress) -> Fitted:
    progress(f"Fitting on {len(data.train.annotations)} passages")
    scorer = fit(data.train)
    return Fitted(scorer, data.dev, window_logits(scorer, data.dev.texts, recipe.window), HOW_DEV)


def _fit_folds(recipe: Recipe, part: Part, folds: int, fit: Fit, progress: Progress) -> Fitted:
    fold_of = deal_folds(part.groups, folds, recipe.seed)
    logits = np.zeros((len(part.annotations), len(recipe.labels)), dtype=np.float32)
    for fold in range(folds):
        progress(f"Fitting fold {fold + 1} of {folds}")
        held: npt.NDArray[np.bool_] = fold_of == fold
        logits[held] = window_logits(fit(part.only(~held)), part.only(held).texts, recipe.window)
    progress(f"Fitting on {len(part.annotations)} passages")
    return Fitted(fit(part), part, logits, HOW_FOLDS.format(folds=folds))


def _cross_fitted(recipe: Recipe, fitted: Fitted, decision: Decision) -> Predictions:
    judged = fitted.judged
    answers = cross_fit(recipe.labels, fitted.logits, judged.gold, judged.groups, seed=recipe.seed)
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
        seed=recipe.seed,
        recipe=resolved,
        corpora=data.uses,
        libraries={"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        scores=scores,
    )


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
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(kept))  # JSON has no nan: it becomes None
    return plain
