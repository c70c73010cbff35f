"""What more passages would bring: a recipe trained on growing shares of its training corpus, measured on another.

Each share holds the one before it, and groups stay whole. Figures are of ``compersion evaluate``; intervals are 95 %
bootstrap intervals by group.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import msgspec

from compersion_nlp.corpus import Corpus, read_corpus, split_by_group
from compersion_nlp.corpus.settings import SETTINGS
from compersion_nlp.evaluate import Evaluation, evaluate, predict
from compersion_nlp.records import Annotation
from compersion_nlp.tagger import load
from compersion_nlp.training.recipe import RECIPE, read_recipe
from compersion_nlp.training.train import train

SHARES = (0.1, 0.25, 0.5, 1.0)
_TRAIN = re.compile(r"^train\s*=\s*\[.*?\]", re.DOTALL | re.MULTILINE)


def main() -> None:
    """Prints a Markdown table, a row a share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path, help="a recipe that names one training corpus")
    parser.add_argument("corpus", type=Path, help="the corpus that is measured on")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="shares of the training corpus, 0 to 1")
    parser.add_argument("--data-dir", type=Path, help="folder that holds public sets")
    parser.add_argument("--seed", type=int, default=0, help="which passages make a share")
    options = parser.parse_args()
    data = read_recipe(options.recipe).data
    if len(data.train) > 1 or data.dev:
        parser.error("The recipe must name one training corpus, and no other to calibrate on.")
    whole = read_corpus(options.recipe.parent / data.train[0], options.data_dir)
    print("| share | passages | macro F1 | micro F1 | macro AP |\n| --- | --- | --- | --- | --- |")
    for share in options.shares:
        part = msgspec.structs.replace(whole, annotations=take(whole.annotations, share, options.seed))
        found = measure(options.recipe, part, read_corpus(options.corpus, options.data_dir))
        print(row(share, len(part.annotations), found), flush=True)


def take(passages: tuple[Annotation, ...], share: float, seed: int) -> tuple[Annotation, ...]:
    """Returns a share of the passages by whole groups."""
    return passages if share >= 1 else split_by_group(passages, share, seed)[1]


def measure(recipe: Path, part: Corpus, corpus: Corpus) -> Evaluation:
    """Returns how a bundle trained by a recipe, but on ``part`` alone, does on a corpus."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "curve" / "bundle"
        home.mkdir(parents=True)
        text = recipe.read_text("utf-8")
        (home / RECIPE).write_text(_TRAIN.sub('train = ["../corpus/train.jsonl"]', text), "utf-8")
        beside = home.parent / "corpus" / "train.jsonl"
        beside.parent.mkdir()
        beside.write_bytes(b"\n".join(msgspec.json.encode(annotation) for annotation in part.annotations))
        (beside.parent / SETTINGS).write_text(f"labels = {list(part.labels)}\n")
        train(home / RECIPE)
        return evaluate(predict(load(str(home)), corpus))


def row(share: float, passages: int, found: Evaluation) -> str:
    """Returns a row of the table."""
    macro, micro = found.macro, found.micro
    figures = (
        f"{macro.f1:.3f} ({macro.f1_interval.low:.2f} to {macro.f1_interval.high:.2f})",
        f"{micro.f1:.3f} ({micro.f1_interval.low:.2f} to {micro.f1_interval.high:.2f})",
        f"{macro.average_precision:.3f}",
    )
    return f"| {share:.0%} | {passages} | " + " | ".join(figures) + " |"


if __name__ == "__main__":
    main()
