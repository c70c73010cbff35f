"""The limit: prints the seconds that ``tokenizers`` takes to cut the posts of a CSV file, and nothing else done.

A process of its own, because its threads are set by the environment: ``RAYON_NUM_THREADS``.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

from tokenizers import Tokenizer

BATCH = 512  # as many as our command has in a chunk


def main() -> None:
    """Prints a number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer", type=Path, help="a tokenizer.json")
    parser.add_argument("posts", type=Path, help="a CSV file with a column text")
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with options.posts.open(newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    began = time.perf_counter()
    for at in range(0, len(texts), BATCH):
        tokenizer.encode_batch(texts[at : at + BATCH])
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
