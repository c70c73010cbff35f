"""Posts a second: the tokenizer alone, ours as whole commands and in memory, and other libraries on the same posts.

Prints a Markdown table, then one of start-up times. Each round runs everything on one kind of posts once, in the same
order, so that a busy machine is busy for all; ratios are of medians, and say how many times as fast as the reference a
run is. How many posts a run reads is found beforehand, so that it reads for about ``--seconds``, start-up not counted:
a small number tries the script out. Everything keeps to two cores.

Other libraries need the extra ``benchmarks`` and the weights of MiniLM: ``--models-dir`` as in ``quality.py``, else the
hub. A bundle or a library that is not there gets a row that says so.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from math import floor, isnan, log10, nan
from pathlib import Path

from machine import CORES, describe, keep_to
from peers import LIBRARIES, Task, sample
from posts import ROOT, count_words, make_posts, mix_passages
from runs import Run, count, time_commands, time_in_memory, time_libraries, time_limits
from startup import MODELS as STARTED
from startup import print_starts

from compersion_nlp.corpus import read_corpus

MODELS = ("fast", "auto", "encoder", "linear")
WORDS = {"short": 15, "forum": 100, "long": 1_000}
HALF = "half"  # passages of which every second one feels nothing
MOST_DISTINCT, WORDS_HELD = 20_000, 2_000_000  # posts that are made of a kind, and their words; then they recur
FEWEST, MOST, STEP = 16, 2_000_000, 4  # posts a run, and how they grow until a run is long enough to judge by
COLUMNS = ("run", "words", "posts", "median s", "posts/s", "× tokenizer", "× scikit-learn", "× transformers")
NONE = "–"


def main() -> None:
    """Prints the tables, the rows of a kind of posts as soon as it is done."""
    options = read_options()
    keep_to(CORES)
    print(describe(), end="\n\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = make_runs(options, Path(folder))
        print(f"| {' | '.join(COLUMNS)} |\n| --- | --- |{' ---: |' * (len(COLUMNS) - 2)}", flush=True)
        for kind in options.lengths:
            chosen = [run for run in runs if run.mixed or kind != HALF]
            texts = make_texts(kind, options.seed)
            posts = {run.name: adapt(run, texts, options.seconds) for run in chosen if run.clock}
            print_rows(kind, chosen, texts, posts, go_round(chosen, texts, posts, options.rounds))
    print()
    print_starts([model for model in STARTED if model in options.models], options.rounds)


def read_options() -> argparse.Namespace:
    """Returns what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(LIBRARIES)
    parser.add_argument("--models", nargs="*", default=MODELS, metavar="MODEL", help="bundles, by name or path")
    parser.add_argument("--libraries", nargs="*", default=LIBRARIES, choices=LIBRARIES, metavar="LIBRARY", help=names)
    parser.add_argument("--lengths", nargs="+", default=(*WORDS, HALF), choices=(*WORDS, HALF), help="kinds of posts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8, help="that a run is to read for, about")
    parser.add_argument("--passages", type=int, default=2_000, help="most passages that other libraries learn from")
    parser.add_argument("--models-dir", "--data-dir", type=Path, help="folder that holds base weights")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def make_runs(options: argparse.Namespace, folder: Path) -> list[Run]:
    """Returns everything that is timed, in its order; models are loaded and libraries fitted here."""
    train, dev = (
        sample(read_corpus(ROOT / f"corpora/relational/{part}.jsonl"), options.passages, options.seed)
        for part in ("train", "dev")
    )
    return [
        *time_limits(folder),
        *time_commands(options.models, folder),
        *time_in_memory(options.models),
        *time_libraries(options.libraries, Task(train, dev, options.models_dir, options.seed)),
    ]


def make_texts(kind: str, seed: int) -> list[str]:
    """Returns posts of a kind, as many distinct ones as are held at a time."""
    if kind == HALF:
        return mix_passages(MOST_DISTINCT, seed)
    words = WORDS[kind]
    return list(islice(make_posts(words, seed), min(MOST_DISTINCT, WORDS_HELD // words)))


def repeat(texts: Sequence[str], posts: int) -> list[str]:
    """Returns so many posts; they recur where there are fewer."""
    return list(islice(cycle(texts), posts))


def adapt(run: Run, texts: Sequence[str], seconds: float) -> int:
    """Returns the number of posts, in one digit and zeros, for so many seconds of reading; 0 if the run fails.

    What one post takes counts as starting and comes on top. What is loaded on first use is loaded here, off the clock.
    """
    posts, start = FEWEST, min(attempt(run, texts[:1]) for _ in range(2))
    while (took := attempt(run, repeat(texts, posts)) - start) < seconds / 2 and posts < MOST:
        posts *= STEP
    return 0 if isnan(took) else max(FEWEST, int(float(f"{min(MOST, posts * seconds / took):.1g}")))


def attempt(run: Run, texts: Sequence[str]) -> float:
    """Returns the seconds that a run takes, nan if it fails."""
    assert run.clock
    try:
        return run.clock(texts)
    except subprocess.CalledProcessError as error:
        print(f"{run.name} failed: exit code {error.returncode}", file=sys.stderr)
        return nan


def go_round(
    runs: Sequence[Run], texts: Sequence[str], posts: Mapping[str, int], rounds: int
) -> dict[str, list[float]]:
    """Returns the seconds of each run in each round, those in which it failed left out."""
    seconds: dict[str, list[float]] = {run.name: [] for run in runs}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for run in runs:
            if posts.get(run.name) and not isnan(took := attempt(run, repeat(texts, posts[run.name]))):
                seconds[run.name].append(took)
    return seconds


def print_rows(
    kind: str, runs: Sequence[Run], texts: Sequence[str], posts: Mapping[str, int], seconds: Mapping[str, list[float]]
) -> None:
    """Prints a row a run."""
    words = f"{kind}, {statistics.mean(map(count_words, texts)):,.0f}"
    medians = {name: statistics.median(found) for name, found in seconds.items() if found}
    rates = {name: posts[name] / median for name, median in medians.items()}
    for run in runs:
        if run.name not in rates:
            cells = [f"{run.name}: {run.missing or 'failed'}", words, *[NONE] * (len(COLUMNS) - 2)]
        else:
            rate = rates[run.name]
            references = (f"tokenizers, {count(run.cores, 'thread')}", "scikit-learn", "transformers pipeline")
            ratios = (three_digits(rate / rates[name]) if name in rates else NONE for name in references)
            cells = [run.name, words, f"{posts[run.name]:,}", f"{medians[run.name]:.2f}", three_digits(rate), *ratios]
        print(f"| {' | '.join(cells)} |", flush=True)


def three_digits(figure: float) -> str:
    """Returns a figure with three digits that count."""
    return f"{figure:,.{max(0, 2 - floor(log10(figure)))}f}"


if __name__ == "__main__":
    main()
