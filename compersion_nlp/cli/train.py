"""``compersion train``: a recipe and its corpora make a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compersion_nlp.cli.console import DataDirOption, JsonOption, err, out, print_json, safe


def train(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file. Paths in it are relative to it.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the bundle. [default: the folder of a recipe.toml]"),
    ] = None,
    data_dir: Annotated[Path | None, DataDirOption] = None,
    keep_scorer: Annotated[
        bool,
        typer.Option(
            "--keep-scorer", help="Keep the bundle's scorer; fit calibration and thresholds, and measure, anew."
        ),
    ] = False,
    json: Annotated[bool, JsonOption] = False,
) -> None:
    """Train a bundle from a recipe: fit, calibrate, score on passages it did not see, and write it.

    The same recipe and corpora give the same bundle, byte for byte (an encoder's on the same processor).

    Example: compersion train models/linear/recipe.toml -o my-linear
    """
    from compersion_nlp.training.train import train as run

    manifest = run(recipe, output, lambda step: err.print(safe(step)), data_dir, keep_scorer)
    if json:
        print_json(manifest)
        return
    scores = manifest.scores or {}
    out.print(f"{manifest.name}@{manifest.version}: {output or recipe.absolute().parent}")
    for key in ("macro_f1", "micro_f1", "macro_average_precision"):
        if scores.get(key) is not None:
            low, high = scores[f"{key}_interval"]
            out.print(f"{key.replace('_', ' ')} {scores[key]:.3f} (95 %: {low:.3f} to {high:.3f})")
