"""How often five words in a row recur in a corpus, beside a peer: as many passages of each, of the same lengths.

The share of passages that have a run in common with another grows with the number and the length of passages, so
corpora compare only on passages that match in both. Prints the number matched and the share in each.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path

from compersion_nlp.corpus import read_corpus, word_count
from compersion_nlp.corpus_checks.sameness import recurring_runs
from compersion_nlp.records import Annotation

WIDTH = 3  # words; lengths within the same step of so many count as equal


def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="the corpus that is judged")
    parser.add_argument("peer", type=Path, help="the corpus that it is set beside")
    parser.add_argument("--data-dir", type=Path, help="folder that holds public sets")
    parser.add_argument("--passages", type=int, default=1000, help="how many passages of the peer to match")
    parser.add_argument("--seed", type=int, default=0, help="which passages are drawn")
    options = parser.parse_args()
    corpus, peer = (read_corpus(path, options.data_dir) for path in (options.corpus, options.peer))
    ours, theirs = match(list(corpus.annotations), list(peer.annotations), options.passages, options.seed)
    shares = [f"{recurring_runs(side).share:.1%}" for side in (ours, theirs)]
    print(f"{len(ours)} passages of the same lengths: {corpus.name} {shares[0]}, {peer.name} {shares[1]}")


def match(
    ours: list[Annotation], theirs: list[Annotation], passages: int, seed: int
) -> tuple[list[Annotation], list[Annotation]]:
    """Returns random passages of both corpora, pairwise of about the same length; fewer where there are no more."""
    generator = random.Random(seed)
    generator.shuffle(ours)
    generator.shuffle(theirs)
    by_length = defaultdict(list)
    for annotation in ours:
        by_length[word_count(annotation.text) // WIDTH].append(annotation)
    pairs = [
        (by_length[length].pop(), annotation)
        for annotation in theirs[:passages]
        if by_length[length := word_count(annotation.text) // WIDTH]
    ]
    return [one for one, _ in pairs], [other for _, other in pairs]


if __name__ == "__main__":
    main()
