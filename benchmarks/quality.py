"""Ours and its peers side by side: all learn from one corpus, and are measured on another.

Peers are trained on ``--train``, get calibration and thresholds on ``--dev`` by the code that our bundles get theirs
by, and are measured on ``--test``; bundles are measured as they are. Thresholds are those of the best F1 a label, so a
scorer that tells little apart reads a feeling nearly everywhere: its false alarms show it. Where a bundle's recipe
bounds them, ``--most-false-alarms`` bounds those of the peers on ``--dev`` alike.

Needs the extra ``benchmarks``. Base weights come from ``--models-dir`` (a folder for each, by the names in
``peers/sentences.py``), else from the hub. Seconds hold only for one machine, with nothing else running.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from peers import PEERS, Task, find_peer, fit_peer, sample

from compersion_nlp.corpus import MANNERS, Corpus, read_corpus
from compersion_nlp.errors import CompersionError
from compersion_nlp.evaluate import Evaluation, evaluate, make_predictions
from compersion_nlp.evaluate.evaluation import Row
from compersion_nlp.tagger import load

CORPUS = Path(__file__).parent.parent / "corpora" / "relational"
BUNDLES = ("linear", "hybrid", "encoder")
LABELS = ("compersion", "jealousy", "insecurity")
COLUMNS = ("peer", "macro F1", "micro F1", "macro AP", *LABELS, "false alarm", *MANNERS, "fit s", "texts/s")
NONE = "–"


class Reader(Protocol):
    """What is measured: a peer that was fitted, or a tagger."""

    labels: tuple[str, ...]

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Returns probabilities of shape (n, L)."""

    def decide(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Returns which labels are felt, of shape (n, L)."""


def main() -> None:
    """Prints a Markdown table, a row a peer as it comes; ends with 1 if one could not be had."""
    options = read_options()
    train, dev, test = (
        sample(read_corpus(path, options.data_dir), options.sample, options.seed)
        for path in (options.train, options.dev, options.test)
    )
    task = Task(train, dev, options.models_dir, options.seed, options.most_false_alarms)
    print(f"| {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * (len(COLUMNS) - 1)}", flush=True)
    missing = 0
    for name in options.peers:
        try:
            reader, seconds = prepare(options.encoder if name == "encoder" else name, task)
        except (ImportError, OSError, CompersionError) as error:
            missing += 1
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        print(f"| {' | '.join((name, *measure(name, reader, test, seconds)))} |", flush=True)
    sys.exit(bool(missing))


def read_options() -> argparse.Namespace:
    """Returns what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = (*PEERS, *BUNDLES)
    parser.add_argument("--peers", nargs="+", default=names, metavar="PEER", help=f"{', '.join(names)}, or any bundle")
    for part in ("train", "dev", "test"):
        parser.add_argument(f"--{part}", type=Path, default=CORPUS / f"{part}.jsonl", help="a corpus file")
    parser.add_argument("--data-dir", type=Path, help="folder that holds public sets")
    parser.add_argument("--models-dir", type=Path, help="folder that holds base weights")
    parser.add_argument("--encoder", default="encoder", help="the bundle behind `encoder`, by name or path")
    parser.add_argument("--most-false-alarms", type=float, help="bound for peers on dev, 0 to 1")
    parser.add_argument("--sample", type=int, help="try it out on about so many passages of each corpus")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def prepare(name: str, task: Task) -> tuple[Reader, float | None]:
    """Returns a reader, and the seconds that it took to fit; None for a bundle, which is loaded as it is."""
    if name not in PEERS:
        return load(name), None
    peer = find_peer(name)
    began = time.perf_counter()
    with redirect_stdout(sys.stderr):  # where a trainer may say how far it is
        return fit_peer(peer, task), time.perf_counter() - began


def measure(name: str, reader: Reader, test: Corpus, fitted_in: float | None) -> tuple[str, ...]:
    """Returns the cells of a row, all but the first."""
    reader.probabilities(test.texts[:8])  # what is loaded on first use is not timed
    began = time.perf_counter()
    probabilities = reader.probabilities(test.texts)
    rate = len(test.texts) / (time.perf_counter() - began)
    found = evaluate(make_predictions(name, test, reader.labels, probabilities, reader.decide(probabilities)))
    return (*figures(found), NONE if fitted_in is None else f"{fitted_in:,.0f}", f"{rate:,.0f}")


def figures(found: Evaluation) -> tuple[str, ...]:
    """Returns what was measured, in the order of the columns."""
    slices = {(row.family, row.name): row for row in found.slices}
    by_label = {row.name: row.f1 for row in found.labels}
    nothing = slices.get(("felt", "nothing"))
    manners = (slices.get(("manner", manner)) for manner in MANNERS)
    return (
        with_interval(found.macro),
        with_interval(found.micro),
        cell(found.macro.average_precision),
        *(cell(by_label.get(label)) for label in LABELS),
        NONE if nothing is None else f"{nothing.false_alarm:.0%}",
        *(cell(row and row.macro_f1) for row in manners),
    )


def with_interval(row: Row) -> str:
    """Returns F1 and its 95 % interval."""
    bounds = row.f1_interval
    return f"{row.f1:.3f}" + (f" ({bounds.low:.2f}–{bounds.high:.2f})" if bounds else "")


def cell(figure: float | None) -> str:
    """Returns a figure, or a dash where it is not defined."""
    return NONE if figure is None or np.isnan(figure) else f"{figure:.3f}"


if __name__ == "__main__":
    main()
