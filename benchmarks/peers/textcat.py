"""spaCy's own text classifier, ``textcat_multilabel`` as it comes: a small network beside a bag of words."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import spacy
from spacy.training import Example

from peers import Floats, Score, Task, macro_average_precision, to_logits

EPOCHS = 6  # of which the best on dev is kept, as spaCy's own train command does
BATCH = 32
DROPOUT = 0.2


def fit(task: Task) -> Score:
    """Returns a pipeline without vectors, trained on the task."""
    spacy.util.fix_random_seed(task.seed)
    nlp = spacy.blank("en")
    component = nlp.add_pipe("textcat_multilabel")

    def score(texts: Sequence[str]) -> Floats:
        cats = [doc.cats for doc in nlp.pipe(texts)]
        return to_logits(np.array([[row[label] for label in task.labels] for row in cats]))

    examples = make_examples(task, nlp)
    optimizer = nlp.initialize(lambda: examples)
    draw, best, kept = random.Random(task.seed), -1.0, b""
    for _ in range(EPOCHS):
        draw.shuffle(examples)
        for batch in spacy.util.minibatch(examples, BATCH):
            nlp.update(batch, sgd=optimizer, drop=DROPOUT)
        with nlp.use_params(optimizer.averages):
            found = macro_average_precision(score(task.dev.texts), task.gold(task.dev))
            if found > best:
                best, kept = found, component.to_bytes()
    component.from_bytes(kept)
    return score


def make_examples(task: Task, nlp: spacy.Language) -> list[Example]:
    """Returns the training passages in spaCy's form."""
    rows = zip(task.train.texts, task.gold(task.train).tolist(), strict=True)
    return [
        Example.from_dict(nlp.make_doc(text), {"cats": dict(zip(task.labels, marks, strict=True))})
        for text, marks in rows
    ]
