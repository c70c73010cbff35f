"""Posts for benchmarks: sentences of the example corpora joined to a length, a mixture of passages, and CSV of them."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from compersion_nlp.corpus import read_corpus
from compersion_nlp.text import parse, sentences

ROOT = Path(__file__).parent.parent


def read_sentences() -> list[str]:
    """Returns the distinct sentences of the relational corpus and of the example forum."""
    corpus = (ROOT / "corpora/relational/train.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in corpus]
    with (ROOT / "corpora/examples/forum.csv").open(newline="", encoding="utf-8") as file:
        texts += [row["body"] for row in csv.DictReader(file)]
    found = (span.of(text) for text in texts for span in sentences(parse(text)))
    return sorted(set(found))


def make_posts(words: int = 100, seed: int = 0) -> Iterator[str]:
    """Yields posts of about ``words`` words without end."""
    pool, draw = read_sentences(), random.Random(seed)
    while True:
        post: list[str] = []
        length = 0
        while length < words:
            post.append(draw.choice(pool))
            length += count_words(post[-1])
        yield " ".join(post)


def mix_passages(posts: int, seed: int = 0) -> list[str]:
    """Returns passages of the relational corpus's dev file in a drawn order: in every second one, nothing is felt.

    The file holds fewer passages than a benchmark reads: they recur.
    """
    annotations = read_corpus(ROOT / "corpora/relational/dev.jsonl").annotations
    felt = [annotation.text for annotation in annotations if annotation.felt]
    nothing = [annotation.text for annotation in annotations if not annotation.felt]
    found = [part[place % len(part)] for place in range(posts // 2) for part in (felt, nothing)]
    random.Random(seed).shuffle(found)
    return found


def count_words(text: str) -> int:
    """Returns the number of words, told by the spaces between them."""
    return text.count(" ") + 1


def write_csv(path: Path, posts: Iterable[str]) -> Path:
    """Writes posts as they come, with an id each, and returns the path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "text"])
        rows.writerows(enumerate(posts))
    return path
