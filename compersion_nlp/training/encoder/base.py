"""Pretrained networks and their vocabularies: from a folder, or from the hub."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel

from compersion_nlp.errors import BadInput

_VOCABULARY = "tokenizer.json"


class Base(NamedTuple):
    """A pretrained transformer, its vocabulary, and the number of the piece that stands for nothing."""

    encoder: nn.Module
    tokenizer: Tokenizer
    padding: int


def load_base(name: str, data_dir: Path | None) -> Base:
    """Returns the network called ``name``: from ``DATA_DIR/<its last part>`` if that is there, else from the hub.

    Its own dropout is off: on so many passages it only slows training. Raises BadInput if it cannot be had.
    """
    place = _folder(name, data_dir) or name
    try:
        encoder = AutoModel.from_pretrained(
            place, attn_implementation="eager", attention_probs_dropout_prob=0.0, hidden_dropout_prob=0.0
        )
        tokenizer = _tokenizer(place)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"The pretrained network {name} cannot be had: {type(error).__name__}.",
            f"Check the connection, or give a data folder that holds {name.rpartition('/')[2]}/ (--data-dir).",
        ) from error
    if not hasattr(getattr(encoder, "encoder", None), "layer"):
        raise BadInput(
            f"The pretrained network {name} is not built like BERT.", "Choose one that is: BERT, MPNet, RoBERTa."
        )
    encoder.pooler = None  # answers come from the word pieces
    padding = int(encoder.config.pad_token_id or 0)
    return Base(encoder, tokenizer, padding)


def _folder(name: str, data_dir: Path | None) -> Path | None:
    folder = data_dir / name.rpartition("/")[2] if data_dir is not None else None
    return folder if folder is not None and folder.is_dir() else None


def _tokenizer(place: Path | str) -> Tokenizer:
    if isinstance(place, Path):
        return Tokenizer.from_file(str(place / _VOCABULARY))
    return Tokenizer.from_pretrained(place)
