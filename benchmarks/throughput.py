"""Labelling a file, beside scoring the same texts in memory with nothing around it.

``scikit-learn`` is a TfidfVectorizer a block of features and one matrix product, with the n-grams and
the coefficients of the bundle; ``scorer`` is the bundle's own. Files are CSV on either side. Each
round runs everything once, and ratios are of medians, so that a busy machine is busy for all.
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

import numpy as np
from posts import make_posts
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from compersion_nlp.batch import Job, label
from compersion_nlp.bundle import load_bundle
from compersion_nlp.scorers.linear import LinearScorer, normalise

BATCH = 256


def main() -> None:
    """Prints a table of texts a second and of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="linear", help="a linear bundle, by name or path")
    parser.add_argument("--posts", type=int, default=5_000)
    parser.add_argument("--words", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    texts = list(islice(make_posts(options.words), options.posts))
    with tempfile.TemporaryDirectory() as folder:
        source = write_csv(Path(folder), texts)
        runs = make_runs(options.model, texts, source)
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
    if not isinstance(scorer, LinearScorer):
        sys.exit(f"{model} is not a linear bundle")
    output = source.with_name("out.csv")

    def job(**changes: Any) -> Callable[[], object]:
        return lambda: label(Job(inputs=(source,), output=output, model=model, overwrite=True, **changes))

    def command(*flags: str) -> Callable[[], object]:
        line = [sys.executable, "-c", "from compersion_nlp.cli import main; main()", "label", str(source)]
        return lambda: subprocess.run(
            [*line, "-o", str(output), "--model", model, "--overwrite", "--quiet", *flags], check=True
        )

    return {
        "scikit-learn, in memory": scikit_learn(scorer, texts),
        "scorer, in memory": lambda: [scorer.score(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)],
        "label(), labels only": job(explain=False),
        "label(), explained": job(),
        "command, labels only": command("--labels-only"),
        "command, labels only, 2 workers": command("--labels-only", "--workers", "2"),
        "command, explained": command(),
    }


def scikit_learn(scorer: LinearScorer, texts: list[str]) -> Callable[[], object]:
    """Returns a run of the same features and coefficients in scikit-learn; checks that it gives the same logits."""
    features, split = scorer.tfidf.features, len(scorer.tfidf.features.words)
    shared = {"sublinear_tf": features.sublinear_tf, "preprocessor": normalise, "dtype": np.float32}
    words = TfidfVectorizer(
        ngram_range=features.word_ngrams, vocabulary=features.words, token_pattern=r"\w+(?:'\w+)*", **shared
    )
    chars = TfidfVectorizer(ngram_range=features.char_ngrams, vocabulary=features.chars, analyzer="char_wb", **shared)
    words.idf_, chars.idf_ = scorer.tfidf.idf[:split], scorer.tfidf.idf[split:]

    def score() -> object:
        rows = hstack([words.transform(texts), chars.transform(texts)], format="csr")
        return rows @ scorer.coefficients + scorer.intercepts

    np.testing.assert_allclose(score(), scorer.score(texts), atol=1e-3)
    return score


def show(seconds: dict[str, list[float]], posts: int) -> None:
    """Prints the table."""
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    peer, scorer, *_ = medians.values()
    print(f"{'run':<34}{'median s':>10}{'texts/s':>10}{'x scikit':>10}{'x scorer':>10}")
    for name, median in medians.items():
        print(f"{name:<34}{median:>10.2f}{posts / median:>10,.0f}{median / peer:>10.2f}{median / scorer:>10.2f}")


if __name__ == "__main__":
    main()
