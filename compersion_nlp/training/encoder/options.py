"""What a recipe can say about an encoder; ``models/encoder/recipe.toml`` says what the shipped bundle was made with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Weight = Annotated[float, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one network is fitted.

    ``epochs`` counts rounds over the passages. A step takes passages of about ``pieces_a_step`` word pieces. The rates
    are AdamW's (Loshchilov & Hutter, 2019), for the pretrained layers and for the heads, rising over the first
    ``warm_up`` of the steps and falling to 0; each layer below the top takes ``layer_decay`` of the rate above it.
    The word embeddings and the lowest ``frozen_layers`` are left as they are, if there are any. ``averaging`` is the
    decay of the running mean of the weights that is kept in the end; 0 keeps the last ones. ``auxiliary_share`` is how
    much of the public sets is taken in a round, drawn anew each time.
    """

    epochs: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    pieces_a_step: Count = 2500
    learning_rate: Rate = 1.2e-4
    head_learning_rate: Rate = 1e-3
    warm_up: Share = 0.06
    layer_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.95
    frozen_layers: Annotated[int, msgspec.Meta(ge=0)] = 0
    averaging: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    dropout: Share = 0.1
    auxiliary_share: Share = 1.0


class Losses(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What each part of the loss counts beside that of the felt labels, which counts 1.

    ``focus`` is the exponent by which easy negatives are discounted (asymmetric loss, Ridnik et al., 2021); 0 is plain
    cross-entropy. ``teacher`` is the share of the loss that compares with the teacher's answers instead of the marks
    (Hinton et al., 2015); in it, the labels of public sets count ``teacher_auxiliary``.
    """

    mentioned: Weight = 1.0
    stances: Weight = 0.3
    auxiliary: Weight = 1.0
    focus: Weight = 0.0
    teacher: Share = 0.5
    teacher_auxiliary: Weight = 0.3


class Teacher(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The larger network that the encoder learns from.

    ``kept`` is a file that its weights are kept in: where it is there, and was made with the same options and passages,
    the teacher is not fitted again.
    """

    base: str = "sentence-transformers/all-mpnet-base-v2"
    schedule: Schedule = Schedule(epochs=3, learning_rate=5e-5, layer_decay=0.92, frozen_layers=3, auxiliary_share=0.5)
    losses: Losses = Losses(mentioned=0.5, stances=0.06)
    kept: Path | None = None


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the encoder fitter.

    ``base`` is the pretrained network: a name on the Hugging Face hub, whose last part is looked for in the data folder
    first. ``longest`` is how many word pieces it reads at once. ``eight_bit`` keeps weights in 8 bits rather than 32.
    ``heads`` are the public sets whose own labels the bundle answers too.
    Without ``teacher``, it learns from the marks alone.
    """

    base: str = "sentence-transformers/all-MiniLM-L6-v2"
    longest: Annotated[int, msgspec.Meta(ge=8, le=512)] = 512
    eight_bit: bool = True
    heads: tuple[str, ...] = ()
    schedule: Schedule = Schedule()
    losses: Losses = Losses()
    teacher: Teacher | None = None
