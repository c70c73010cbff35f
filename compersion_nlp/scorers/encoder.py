"""The encoder scorer: a small transformer with one attention a label, run by ONNX Runtime.

Each label has a query of its own that looks over the word pieces of a text; what it finds is weighed by the label's
*felt* and *mentioned* heads, so a logit is a sum over word pieces and can be traced back to them (label-wise attention,
Mullenbach et al., 2018).

A text is scored alone, never padded beside others: 8-bit arithmetic scales by the largest value in a call, so a
neighbour would change a text's row. Texts are spread over threads instead.

References:
    James Mullenbach et al., Explainable Prediction of Medical Codes from Clinical Text, NAACL 2018.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from compersion_nlp.errors import BadBundle, BadConfig
from compersion_nlp.labels import SCHEME
from compersion_nlp.scorers.protocol import Answers, Scores, Trace
from compersion_nlp.scorers.wordpieces import Pieces, WordPieces

MODEL, TOKENIZER, SETTINGS = "model.onnx", "tokenizer.json", "encoder.json"

# What the network gives for one text of t word pieces; the heads of public sets come after.
FELT, MENTIONED, STANCES = "felt", "mentioned", "stances"
FELT_TRACE, MENTIONED_TRACE = "felt_trace", "mentioned_trace"
HEADS, TRACES = (FELT, MENTIONED, STANCES), (FELT_TRACE, MENTIONED_TRACE)
OUTPUTS = (*HEADS, *TRACES)

T = TypeVar("T")
_NOWHERE = "/nonexistent/compersion_nlp"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``encoder.json`` says.

    ``longest`` is the number of word pieces that the network reads at once. ``heads`` maps a public data set to the
    set's own labels, for which the network has a further output of that name.
    """

    longest: Annotated[int, msgspec.Meta(ge=8, le=4096)]
    heads: dict[str, tuple[str, ...]] = {}


class EncoderScorer:
    """Scores texts with a network in ONNX; ``model`` is the file's content.

    ``original`` is the same network before its weights were put in 8 bits, where it has just been fitted; else None.
    """

    def __init__(self, labels: tuple[str, ...], settings: Settings, tokenizer: Tokenizer, model: bytes) -> None:
        self._labels = labels
        self.settings = settings
        self.pieces = WordPieces(tokenizer, settings.longest)
        self.model = model
        self.original: EncoderScorer | None = None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # texts are spread over threads, not the parts of one
        options.log_severity_level = 3
        # A network is one file: whatever else it names is not looked for anywhere.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
        # The fused kernel adds and normalises one number at a time; the two it stands for take a seventh less in all.
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
        )
        self._threads = _threads()

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self._labels

    def score(self, texts: Sequence[str]) -> Scores:
        """Returns logits, float32 of shape (n, L)."""
        return self._surest(texts, FELT, (len(self._labels),))

    def score_head(self, head: str, texts: Sequence[str]) -> Scores:
        """Returns the logits of a public set's own labels, float32 of shape (n, K), in the order of ``settings.heads``.

        Raises BadConfig if the network has no such head.
        """
        if head not in self.settings.heads:
            known = ", ".join(self.settings.heads) or "none"
            raise BadConfig(f"The encoder has no head {head!r}.", f"Its heads: {known}.")
        return self._surest(texts, head, (len(self.settings.heads[head]),))

    def answer(self, texts: Sequence[str]) -> Answers:
        """Returns logits of what is felt and mentioned, (n, L), and of the stances of mentions, (n, L, S)."""
        return self._stacked_answers(self._each(texts, lambda chunks: _join([self._run(one, HEADS) for one in chunks])))

    def trace(self, texts: Sequence[str]) -> tuple[Answers, list[Trace]]:
        """Returns what ``answer`` returns, and what each word piece of each text adds to the logits, read in context.

        Both come from reading each text once.
        """
        found = self._each(texts, self._trace)
        return self._stacked_answers([answered for answered, _ in found]), [trace for _, trace in found]

    def _stacked_answers(self, found: Sequence[tuple[Scores, Scores, Scores]]) -> Answers:
        n_labels, n_stances = len(self._labels), len(SCHEME.stance_names)
        felt, mentioned, stances = zip(*found, strict=True) if found else ((), (), ())
        return Answers(
            _stacked(felt, (n_labels,)), _stacked(mentioned, (n_labels,)), _stacked(stances, (n_labels, n_stances))
        )

    def save(self, folder: Path) -> None:
        """Writes the network, the vocabulary and the settings."""
        (folder / MODEL).write_bytes(self.model)
        (folder / TOKENIZER).write_text(self.pieces.tokenizer.to_str(), "utf-8")
        (folder / SETTINGS).write_bytes(msgspec.json.format(msgspec.json.encode(self.settings), indent=2) + b"\n")

    def _trace(self, chunks: list[Pieces]) -> tuple[tuple[Scores, Scores, Scores], Trace]:
        parts = [self._run(chunk, (*HEADS, *TRACES)) for chunk in chunks]
        felt, mentioned = (np.concatenate([part[place] for part in parts]) for place in (3, 4))
        trace = Trace(np.concatenate([chunk.offsets for chunk in chunks]), felt, mentioned)
        return _join([part[:3] for part in parts]), trace

    def _surest(self, texts: Sequence[str], output: str, shape: tuple[int, ...]) -> Scores:
        found = self._each(texts, lambda chunks: np.max([self._run(chunk, (output,))[0] for chunk in chunks], axis=0))
        return _stacked(found, shape)

    def _each(self, texts: Sequence[str], read: Callable[[list[Pieces]], T]) -> list[T]:
        def cut_and_read(text: str) -> T:  # one after the other, so that few texts are held in pieces at a time
            return read(self.pieces.cut([text])[0])

        if self._threads == 1 or len(texts) == 1:
            return [cut_and_read(text) for text in texts]
        # A pool of its own for each call: nothing is left running, and workers of a batch can be forked.
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(cut_and_read, texts))

    def _run(self, chunk: Pieces, outputs: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        found: list[Any] = list(self._session.run(list(outputs), {"ids": chunk.ids[None, :]}))
        return [output[0] for output in found]


def _join(parts: list[list[npt.NDArray[np.float32]]]) -> tuple[Scores, Scores, Scores]:
    """Returns a text's answers from those of its chunks: the surest counts, and its stances."""
    felt, mentioned, stances = (np.stack(found) for found in zip(*parts, strict=True))
    surest = mentioned.argmax(axis=0)
    return felt.max(axis=0), mentioned.max(axis=0), stances[surest, np.arange(len(surest))]


def _stacked(rows: Sequence[npt.NDArray[np.float32]], shape: tuple[int, ...]) -> Scores:
    return np.stack(rows).astype(np.float32) if rows else np.empty((0, *shape), np.float32)


def _threads() -> int:
    """Returns how many texts to read at once: what the workers of a batch are told, else every core there is."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load(folder: Path, labels: tuple[str, ...]) -> EncoderScorer:
    """Reads the scorer that ``save`` wrote; raises BadBundle where its files do not fit together."""
    try:
        settings = msgspec.json.decode((folder / SETTINGS).read_bytes(), type=Settings)
        tokenizer = Tokenizer.from_str((folder / TOKENIZER).read_text("utf-8"))
        scorer = EncoderScorer(labels, settings, tokenizer, (folder / MODEL).read_bytes())
    except Exception as error:  # both libraries raise bare exceptions of their own
        raise BadBundle(f"{folder} does not hold an encoder: {type(error).__name__}: {error}", _AGAIN) from error
    _check_outputs(scorer, folder / MODEL)
    return scorer


def _check_outputs(scorer: EncoderScorer, path: Path) -> None:
    n_labels, n_stances = len(scorer.labels), len(SCHEME.stance_names)
    expected: dict[str, list[Any]] = {name: [n_labels] for name in OUTPUTS}
    expected[STANCES] = [n_labels, n_stances]
    expected |= {head: [len(names)] for head, names in scorer.settings.heads.items()}
    inputs = [given.name for given in scorer._session.get_inputs()]
    if inputs != ["ids"]:
        raise BadBundle(f"{path}: its inputs are {', '.join(inputs)}; expected ids.", _AGAIN)
    found = {output.name: output.shape for output in scorer._session.get_outputs()}
    for name, shape in expected.items():
        if name not in found or found[name][-len(shape) :] != shape:
            raise BadBundle(
                f"{path}: the output {name} has the shape {found.get(name)}; expected one that ends in {shape}.", _AGAIN
            )


_AGAIN = "Train the bundle again, or get a whole copy of it."
