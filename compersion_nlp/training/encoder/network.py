"""The network: a pretrained transformer, and for each label a query that looks over its word pieces.

References:
    James Mullenbach et al., Explainable Prediction of Medical Codes from Clinical Text, NAACL 2018.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# The rarest label is felt in one passage of thirty or so: training starts from there, not from even odds.
_FIRST_FELT, _FIRST_MENTIONED = -2.5, -2.0

# How sharply a query looks at first: the softmax over word pieces starts nearly even, and can learn to be sharp.
_SHARPNESS = 4.0


class Output(NamedTuple):
    """Logits for ``n`` texts.

    ``labels`` (n, Q) are those of every label, the public sets' own included; ``mentioned`` (n, L) and ``stances``
    (n, L, S) of the first L.
    """

    labels: Tensor
    mentioned: Tensor
    stances: Tensor


class Network(nn.Module):
    """Reads word pieces with ``encoder``, a transformer of width H, and answers for ``n_queries`` labels.

    The first ``n_labels`` of them are the scheme's, and have heads for mentions and their ``n_stances`` stances too.
    """

    def __init__(self, encoder: Any, n_queries: int, n_labels: int, n_stances: int, dropout: float) -> None:
        super().__init__()
        self.enc = encoder
        self.width = int(encoder.config.hidden_size)
        self.layers = len(encoder.encoder.layer)
        self.heads = int(getattr(encoder.config, "num_attention_heads", 0))
        self.n_labels = n_labels
        self.query = nn.Parameter(torch.randn(n_queries, self.width) * 0.02)
        self.key = nn.Linear(self.width, self.width)
        self.w = nn.Parameter(torch.randn(n_queries, self.width) * 0.02)
        self.b = nn.Parameter(torch.full((n_queries,), _FIRST_FELT))
        self.wm = nn.Parameter(torch.randn(n_labels, self.width) * 0.02)
        self.bm = nn.Parameter(torch.full((n_labels,), _FIRST_MENTIONED))
        self.st = nn.Linear(self.width, n_stances)
        self.lab = nn.Parameter(torch.zeros(n_labels, n_stances))
        self.drop = nn.Dropout(dropout)

    def read(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the word pieces in context (n, t, H), and how much each query looks at each of them (n, Q, t)."""
        states = self.drop(self.enc(input_ids=ids, attention_mask=mask).last_hidden_state)
        keys = self.key(states)
        looks = torch.einsum("nth,qh->nqt", keys, self.query.to(keys.dtype)).float()
        looks = looks / math.sqrt(self.width) * _SHARPNESS
        return states, looks.masked_fill(mask[:, None, :] == 0, -1e4).softmax(-1)

    def forward(self, ids: Tensor, mask: Tensor) -> Output:
        """Returns the logits of texts of at most t word pieces; ``mask`` is 0 beyond the end of a text."""
        return self.answer(*self.read(ids, mask))

    def answer(self, states: Tensor, looks: Tensor) -> Output:
        """Returns the logits for what ``read`` returns."""
        seen = torch.einsum("nqt,nth->nqh", looks.to(states.dtype), states).float()
        own = seen[:, : self.n_labels]
        return Output(
            (seen * self.w).sum(-1) + self.b, (own * self.wm).sum(-1) + self.bm, self.st(own).float() + self.lab
        )


def sharpened(network: Network) -> Tensor:
    """Returns queries (Q, H) whose products with states, key and scale included, are what ``read`` takes a softmax of.

    But for a constant a query, which the softmax does not see.
    """
    return network.query @ network.key.weight / math.sqrt(network.width) * _SHARPNESS


class Traced(nn.Module):
    """The network as it is exported: without padding, and with what each word piece adds to each logit.

    ``heads`` maps the name of a public set to the columns of its labels among the queries.
    """

    def __init__(self, network: Network, heads: dict[str, slice]) -> None:
        super().__init__()
        self.network = network
        self.heads = heads

    def forward(self, ids: Tensor) -> tuple[Tensor, ...]:
        """Returns felt, mentioned, stances, felt by piece (n, t, L), mentioned by piece (n, t, L), and the heads."""
        network, own = self.network, self.network.n_labels
        states, looks = network.read(ids, torch.ones_like(ids))
        seen = looks @ states
        logits = (seen * network.w).sum(-1) + network.b
        mentioned = (seen[:, :own] * network.wm).sum(-1) + network.bm
        stances = network.st(seen[:, :own]) + network.lab
        by_piece = looks[:, :own].transpose(1, 2)
        felt_trace = by_piece * (states @ network.w[:own].T)
        mentioned_trace = by_piece * (states @ network.wm.T)
        heads = tuple(logits[:, columns] for columns in self.heads.values())
        return (logits[:, :own], mentioned, stances, felt_trace, mentioned_trace, *heads)
