"""SetFit: a sentence encoder moved by pairs of passages, then a logistic regression a label.

Two passages are a pair that belongs together where they share a label. SetFit would take all pairs of thousands of
passages; training is bounded to one pair for every ``PASSAGES_A_PAIR`` passages, some ten minutes on two cores. The
regressions are those of the frozen encoder, so that only the pairs make the difference.

References:
    Lewis Tunstall et al., Efficient Few-Shot Learning Without Prompts, 2022.
"""

from __future__ import annotations

import tempfile
from math import ceil

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments, logging

from peers import Score, Task
from peers.sentences import MINILM, fit_heads

PASSAGES_A_PAIR = 4
BATCH = 16  # pairs a step

logging.set_verbosity_error()


def fit(task: Task) -> Score:
    """Returns SetFit on MiniLM, trained on the task."""
    model = SetFitModel.from_pretrained(task.base(MINILM), multi_target_strategy="one-vs-rest")
    texts, marks = list(task.train.texts), task.gold(task.train).astype(int).tolist()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            batch_size=BATCH,
            max_steps=ceil(len(texts) / (PASSAGES_A_PAIR * BATCH)),
            seed=task.seed,
            save_strategy="no",
            report_to="none",
            show_progress_bar=False,
        )
        trainer = Trainer(model, arguments, Dataset.from_dict({"text": texts, "label": marks}))
        trainer.train_embeddings(texts, marks, args=arguments)
    body = model.model_body.eval()
    return fit_heads(task, lambda passages: body.encode(list(passages), show_progress_bar=False))
