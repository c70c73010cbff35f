"""Posts for benchmarks: sentences of the example corpora, shuffled and joined to a length."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

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
        while sum(sentence.count(" ") + 1 for sentence in post) < words:
            post.append(draw.choice(pool))
        yield " ".join(post)
