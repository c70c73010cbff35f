"""Labelling a file, beside scoring the same texts in memory with nothing around it.

The bare scorer is the bundle's own: for the linear one, scikit-learn's TF-IDF and a matrix product.
Files are CSV on either side. Each round runs everything once, and ratios are of medians, so that a
busy machine is busy for all.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from posts import make_posts

from compersion_nlp.batch import Job, label
from compersion_nlp.bundle import load_bundle

BATCH = 256


def main() -> None:
    """Prints a table of texts a second and of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="linear", help="a bundle, by name or path")
    parser.add_argument("--posts", type=int, default=5_000)
    parser.add_argument("--words", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--labels-only", action="store_true", help="leave out the runs that explain")
    options = parser.parse_args()
    texts = list(islice(make_posts(options.words), options.posts))
    with tempfile.TemporaryDirectory() as folder:
        source = write_csv(Path(folder), texts)
        runs = make_runs(options.model, texts, source)
        if options.labels_only:
            runs = {name: run for name, run in runs.items() if "explained" not in name}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, run in runs.items():
                began = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - began)
    show(seconds, options.posts)


def write_csv(folder: Path, texts: list[str]) -> Path:
    """Writes the posts with an id and returns the path."""
    path = folder / "posts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "text"])
        rows.writerows(enumerate(texts))
    return path


def make_runs(model: str, texts: list[str], source: Path) -> dict[str, Callable[[], object]]:
    """Returns what is timed, by name."""
    scorer = load_bundle(model).scorer
    output = source.with_name("out.csv")

    def job(**changes: Any) -> Callable[[], object]:
        return lambda: label(Job(inputs=(source,), output=output, model=model, overwrite=True, **changes))

    def command(*flags: str) -> Callable[[], object]:
        line = [sys.executable, "-c", "from compersion_nlp.cli import main; main()", "label", str(source)]
        return lambda: subprocess.run(
            [*line, "-o", str(output), "--model", model, "--overwrite", "--quiet", *flags], check=True
        )

    return {
        "bare scorer, in memory": lambda: [scorer.score(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)],
        "label(), labels only": job(explain=False),
        "label(), explained": job(),
        "command, labels only": command("--labels-only"),
        "command, labels only, 2 workers": command("--labels-only", "--workers", "2"),
        "command, explained": command(),
    }


def show(seconds: dict[str, list[float]], posts: int) -> None:
    """Prints the table."""
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    bare = next(iter(medians.values()))
    print(f"{'run':<34}{'median s':>10}{'texts/s':>10}{'x bare':>10}")
    for name, median in medians.items():
        print(f"{name:<34}{median:>10.2f}{posts / median:>10,.0f}{median / bare:>10.2f}")


if __name__ == "__main__":
    main()
