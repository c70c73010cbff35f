"""The encoder on GoEmotions' validation split, in the set's own 28 labels, beside published figures.

Two ways to set the thresholds, one a label: on the split itself for the best F1, which flatters a model a little and
is what tuned figures usually mean; and by cross-fitting in 5 folds, where no comment is judged by a threshold that saw
it. Published: Demszky et al., 2020, macro F1 0.46 for BERT-base, with one threshold for all labels, on test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from compersion_nlp.corpus import read_native
from compersion_nlp.decision import cross_fit, fit_decision
from compersion_nlp.evaluate.metrics import Counts, count
from compersion_nlp.scorers.encoder import EncoderScorer
from compersion_nlp.tagger import load

SPLIT = Path(__file__).parent.parent / "corpora" / "goemotions" / "validation"
HEAD = "goemotions"


def main() -> None:
    """Prints a Markdown table of macro and micro F1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="encoder", help="the bundle, by name or path")
    parser.add_argument("--data-dir", type=Path, help="folder that holds public sets")
    options = parser.parse_args()
    scorer = load(options.encoder).bundle.scorer
    if not isinstance(scorer, EncoderScorer):
        parser.error("The bundle is no encoder: it has no head for a public set.")
    public = read_native(SPLIT, options.data_dir)
    labels = scorer.settings.heads[HEAD]
    logits = scorer.score_head(HEAD, public.texts)
    gold = np.array([[label in marks for label in labels] for marks in public.marks], np.float32)
    decision = fit_decision(labels, logits, gold)
    groups = [str(row) for row in range(len(gold))]
    ways = {
        "tuned on the split": decision.decide(decision.probabilities(logits)),
        "cross-fitted in 5 folds": cross_fit(labels, logits, gold, groups).decided,
    }
    print("| thresholds | labels | comments | macro F1 | micro F1 |\n| --- | ---: | ---: | ---: | ---: |")
    for name, decided in ways.items():
        by_label = Counts(*(part.sum(axis=0) for part in count(decided, gold)))
        macro, micro = float(np.mean(by_label.f1)), float(by_label.pooled().f1)
        print(f"| {name} | {len(labels)} | {len(gold)} | {macro:.3f} | {micro:.3f} |")


if __name__ == "__main__":
    main()
