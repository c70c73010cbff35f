"""Fits the static scorer: small vectors, taught by the answers of a bundle that reads far better and slower.

The teacher is asked about every text at hand, marked or not: passages, public sets, and parts of passages (a few of
their sentences, or sentences of several), so that there is more to learn from than was ever marked.

References:
    Geoffrey Hinton et al., Distilling the Knowledge in a Neural Network, 2015.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import open_bundle
from compersion_nlp.errors import BadConfig, MissingExtra
from compersion_nlp.labels import SCHEME
from compersion_nlp.scorers.protocol import Answers, StanceScorer
from compersion_nlp.scorers.static import StaticScorer, Weights
from compersion_nlp.scorers.wordpieces import WordPieces, cuts_words_alone
from compersion_nlp.text import bounded_memory, parse, sentences
from compersion_nlp.training.data import Part
from compersion_nlp.training.encoder.options import Count, Losses, Schedule
from compersion_nlp.training.setting import Setting

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    from compersion_nlp.training.encoder.base import load_base
    from compersion_nlp.training.encoder.examples import UNKNOWN_STANCE, Examples
    from compersion_nlp.training.encoder.loop import fit_network, sow
    from compersion_nlp.training.encoder.loss import Answered
    from compersion_nlp.training.encoder.network import Network, Output, sharpened
except ImportError as error:
    raise MissingExtra(error.name or "torch", "train", "Training static vectors") from error

learns_from_auxiliary = True  # from its texts, by what the teacher says of them

_LONGEST = 512  # word pieces of a text that is learned from
_ASKED_AT_ONCE = 2048  # texts
_TOLD_EVERY = 20  # such calls
_RANDOM_VECTOR = 0.5  # how large vectors are at first: their standard deviation


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the static fitter.

    ``teacher`` is the folder of a bundle that knows stances. ``base`` is a pretrained network whose vocabulary is used,
    and whose word embeddings, cut to ``depth`` numbers by their principal components, the vectors begin as. A state of
    ``states`` numbers is made from a piece and those beside it, ``width`` in all; ``context`` numbers from all states
    of a text. ``parts`` counts the parts of each annotated passage that are learned from, about a third of them
    sentences of several passages. A piece is left out with probability ``piece_dropout`` in training.
    """

    teacher: Path
    base: str = "sentence-transformers/all-MiniLM-L6-v2"
    depth: Count = 96
    states: Count = 192
    width: Count = 5
    context: Count = 128
    parts: Annotated[int, msgspec.Meta(ge=0)] = 10
    piece_dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    schedule: Schedule = Schedule(epochs=8, pieces_a_step=8000, learning_rate=6e-3, head_learning_rate=2e-3)
    losses: Losses = Losses(teacher=0.7, mentioned=0.5, stances=0.1)


def fit(options: Options, part: Part, labels: tuple[str, ...], setting: Setting) -> StaticScorer:
    """Returns a scorer fitted on the passages of ``part``, on its public sets' texts, and on what the teacher says.

    Raises BadConfig if the teacher cannot teach these labels, the width is even or the vocabulary is no uncased one,
    and BadInput if the pretrained network cannot be had.
    """
    if options.width % 2 == 0:
        raise BadConfig(f"scorer.options.width is {options.width}.", "It is odd: as many pieces on either side.")
    teacher = _open_teacher(options.teacher, labels)
    sow(setting.seed)
    encoder, tokenizer, padding = load_base(options.base, setting.data_dir)
    if not cuts_words_alone(tokenizer):
        raise BadConfig(f"{options.base} does not cut words as an uncased BERT does.", "Name a base that does.")
    texts = list(dict.fromkeys([*part.texts, *(text for one in part.auxiliary for text in one.texts)]))
    texts += list(_parts(part.texts, options.parts, set(texts), setting.seed))
    answered = _ask(teacher, texts, setting)
    known: Any = encoder.get_input_embeddings  # some have a few more than there are pieces
    vectors = _principal(known().weight.detach()[: tokenizer.get_vocab_size()], options.depth, padding)
    static = _StaticStates(vectors, options.width, options.states, options.piece_dropout, padding)
    network = _StaticNetwork(static, len(labels), options.context, options.schedule.dropout)
    setting.progress(f"Fitting static vectors on {len(texts)} texts")
    examples = _examples(part, texts, len(labels), WordPieces(tokenizer, _LONGEST))
    fit_network(network, examples, padding, options.schedule, options.losses, setting.seed, setting.progress, answered)
    return StaticScorer(labels, tokenizer, _weights(network, static))


def _open_teacher(folder: Path, labels: tuple[str, ...]) -> StanceScorer:
    scorer = open_bundle(folder).scorer
    if not isinstance(scorer, StanceScorer) or scorer.labels != labels:
        raise BadConfig(
            f"scorer.options.teacher: {folder} does not answer the recipe's labels and their stances.",
            "Name an encoder bundle with the same labels.",
        )
    return scorer


def _parts(texts: Sequence[str], parts: int, known: set[str], seed: int) -> Iterator[str]:
    """Yields parts of texts that are not known yet: runs of sentences, and sentences of several texts together."""
    draw = random.Random(seed)
    with bounded_memory():
        cut = [[span.of(text) for span in sentences(parse(text))] for text in texts]
    pool = [sentence for found in cut for sentence in found]
    for found in cut:
        for _ in range(parts):
            if draw.random() < 1 / 3:
                new = " ".join(draw.choice(pool) for _ in range(draw.randint(2, 6)))
            elif len(found) > 1:
                size = min(len(found) - 1, 1 + int(draw.expovariate(0.45)))
                first = draw.randrange(len(found) - size + 1)
                new = " ".join(found[first : first + size])
            else:
                continue
            if new not in known:
                known.add(new)
                yield new


def _ask(teacher: StanceScorer, texts: Sequence[str], setting: Setting) -> Answered:
    parts: list[Answers] = []
    for start in range(0, len(texts), _ASKED_AT_ONCE):
        if len(parts) % _TOLD_EVERY == 0:
            setting.progress(f"Asking the teacher: {start} of {len(texts)} texts")
        parts.append(teacher.answer(texts[start : start + _ASKED_AT_ONCE]))
    return Answered(*(np.concatenate(found) for found in zip(*parts, strict=True)))


def _examples(part: Part, texts: Sequence[str], n_labels: int, pieces: WordPieces) -> Examples:
    """Returns all texts; of those that are no passages of ``part``, nothing is known but what the teacher says."""
    row_of = {text: row for row, text in enumerate(texts)}
    gold = np.full((len(texts), n_labels), np.nan, np.float32)
    mentioned = gold.copy()
    rows = [row_of[text] for text in part.texts]
    gold[rows], mentioned[rows] = part.gold, part.mentioned
    stances = np.full((len(texts), n_labels), UNKNOWN_STANCE, np.int64)
    ids = tuple(chunks[0].ids for chunks in pieces.cut(texts))
    return Examples(ids, gold, mentioned, stances, np.ones(len(texts), np.bool_))


def _principal(embeddings: Tensor, depth: int, padding: int) -> Tensor:
    """Returns the first ``depth`` principal components of word embeddings; that of nothing is zero."""
    centred = embeddings - embeddings.mean(dim=0)
    _, axes = torch.linalg.eigh(centred.T @ centred)  # in rising order
    vectors: Tensor = centred @ axes[:, -depth:].flip(1)
    vectors *= _RANDOM_VECTOR / vectors.std()
    vectors[padding] = 0
    return vectors


class _StaticStates(nn.Module):
    """What stands in the place of a transformer: states from static vectors, each piece seen with those beside it."""

    def __init__(self, vectors: Tensor, width: int, states: int, dropout: float, padding: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(len(vectors), vectors.shape[1], padding_idx=padding, _weight=vectors)
        self.window = nn.Linear(vectors.shape[1] * width, states)
        self.reach = width // 2
        self.dropout = dropout
        self.config = SimpleNamespace(hidden_size=states)
        self.encoder = SimpleNamespace(layer=())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        """Returns the states, of shape (n, t, K); beyond the end of a text stands nothing."""
        vectors = self.embeddings(input_ids)
        if self.training:
            kept = torch.rand(input_ids.shape) >= self.dropout
            vectors = vectors * kept[..., None]
        padded = functional.pad(vectors, (0, 0, self.reach, self.reach))
        beside = [padded[:, place : place + input_ids.shape[1]] for place in range(2 * self.reach + 1)]
        return SimpleNamespace(last_hidden_state=torch.relu(self.window(torch.cat(beside, dim=-1))))


class _StaticNetwork(Network):
    """The heads of the encoder over static states, and a push for each label by what stands anywhere in the text."""

    def __init__(self, static: _StaticStates, n_labels: int, context: int, dropout: float) -> None:
        super().__init__(static, n_labels, n_labels, len(SCHEME.stance_names), dropout)
        self.context = nn.Linear(2 * self.width, context)
        self.push = nn.Linear(context, 2 * n_labels, bias=False)

    def forward(self, ids: Tensor, mask: Tensor) -> Output:
        """Returns the logits of texts of at most t word pieces; ``mask`` is 0 beyond the end of a text."""
        states, looks = self.read(ids, mask)
        output = self.answer(states, looks)
        states = states * mask[..., None]
        summed = states.sum(dim=1) / mask.sum(dim=1, keepdim=True).sqrt()
        context = torch.relu(self.context(torch.cat([states.amax(dim=1), summed], dim=-1)))
        felt, mentioned = self.push(self.drop(context)).float().chunk(2, dim=-1)
        return output._replace(labels=output.labels + felt, mentioned=output.mentioned + mentioned)


def _weights(network: _StaticNetwork, static: _StaticStates) -> Weights:
    def array(tensor: Tensor) -> npt.NDArray[np.float32]:
        return np.ascontiguousarray(tensor.detach().float().numpy())

    vectors = array(static.embeddings.weight)
    scales = (np.abs(vectors).max(axis=1) / 127).astype(np.float32)
    whole = np.rint(vectors / np.maximum(scales, np.finfo(np.float32).tiny)[:, None]).astype(np.int8)
    depth, width = vectors.shape[1], 2 * static.reach + 1
    window = array(static.window.weight).T.reshape(width, depth, -1)
    return Weights(
        vectors=whole,
        scales=scales,
        window=np.ascontiguousarray(window),
        bias=array(static.window.bias),
        queries=array(sharpened(network)),
        felt=array(network.w),
        felt_bias=array(network.b),
        mentioned=array(network.wm),
        mentioned_bias=array(network.bm),
        stances=array(network.st.weight),
        stances_bias=array(network.st.bias + network.lab),
        context=array(network.context.weight.T),
        context_bias=array(network.context.bias),
        push=array(network.push.weight.T),
    )
