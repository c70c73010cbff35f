"""Sentence embeddings: compared to what each label means, or frozen under a logistic regression a label.

The mean of the last layer's tokens at unit length, as the models' cards say. Of longer passages only so many
tokens are read as the models were trained with.

References:
    Nils Reimers and Iryna Gurevych, Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks, EMNLP 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from compersion_nlp.labels import SCHEME
from peers import Score, Task, macro_average_precision, to_logits

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]  # from n texts to embeddings of shape (n, d)

MINILM, MPNET = "all-MiniLM-L6-v2", "all-mpnet-base-v2"
TOKENS = {MINILM: 256, MPNET: 384}
STRENGTHS = (1.0, 10.0, 100.0)  # inverse, of the L2 penalty
BATCH = 32

logging.set_verbosity_error()
logging.disable_progress_bar()


class Encoder:
    """A sentence encoder by the name of its base."""

    def __init__(self, task: Task, name: str) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(task.base(name))
        self._model = AutoModel.from_pretrained(task.base(name), add_pooling_layer=False).eval()
        self._tokens = TOKENS[name]

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Returns embeddings of unit length, of shape (n, d)."""
        by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        parts = [by_length[at : at + BATCH] for at in range(0, len(texts), BATCH)]
        found = torch.cat([self._embed_batch([texts[row] for row in part]) for part in parts])
        return found[np.argsort(by_length)].numpy()

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> torch.Tensor:
        batch = self._tokenizer(texts, padding=True, truncation=True, max_length=self._tokens, return_tensors="pt")
        mask = batch["attention_mask"].unsqueeze(-1)
        summed = (self._model(**batch).last_hidden_state * mask).sum(dim=1)
        return torch.nn.functional.normalize(summed / mask.sum(dim=1))


def compare_minilm(task: Task) -> Score:
    """Returns the peer that compares a passage with what a label means by MiniLM, and learns nothing."""
    return compare(task, MINILM)


def compare_mpnet(task: Task) -> Score:
    """Returns the peer that compares a passage with what a label means by MPNet, and learns nothing."""
    return compare(task, MPNET)


def compare(task: Task, name: str) -> Score:
    """Returns cosine similarity with a sentence a label."""
    encoder = Encoder(task, name)
    meanings = encoder.embed([f"The writer feels {SCHEME.labels[label].feels}." for label in task.labels])
    return lambda texts: encoder.embed(texts) @ meanings.T


def fit_minilm(task: Task) -> Score:
    """Returns a logistic regression a label on frozen embeddings of MiniLM."""
    return fit_heads(task, Encoder(task, MINILM).embed)


def fit_heads(task: Task, embed: Embed) -> Score:
    """Returns a logistic regression a label on embeddings; of a few strengths of the penalty, the best on dev."""
    learned, dev = embed(task.train.texts), embed(task.dev.texts)
    marks = task.gold(task.train)

    def fit(strength: float) -> OneVsRestClassifier:
        return OneVsRestClassifier(LogisticRegression(C=strength, max_iter=1000)).fit(learned, marks)

    def suits(heads: OneVsRestClassifier) -> float:
        return macro_average_precision(heads.predict_proba(dev), task.gold(task.dev))

    best = max(map(fit, STRENGTHS), key=suits)
    return lambda texts: to_logits(best.predict_proba(embed(texts)))
