"""Fits the encoder: a small pretrained transformer, taught by the marks and by a larger one.

All that is known is learned at once: what is felt, what is mentioned and in which stance, and the labels of public
sets, each on the passages of which it is known. The teacher is fitted the same way, and answers for every passage, the
public sets' too; the encoder learns from its answers beside the marks.
"""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
from safetensors import safe_open

from compersion_nlp.errors import BadConfig, MissingExtra
from compersion_nlp.labels import SCHEME
from compersion_nlp.scorers.encoder import OUTPUTS, EncoderScorer, Settings
from compersion_nlp.scorers.wordpieces import WordPieces
from compersion_nlp.training.data import Part
from compersion_nlp.training.encoder.options import Losses, Schedule, Teacher
from compersion_nlp.training.encoder.options import Options as Options
from compersion_nlp.training.setting import Setting

try:
    from safetensors.torch import load_file, save_file

    from compersion_nlp.training.encoder.base import load_base
    from compersion_nlp.training.encoder.examples import Examples, head_columns, make_examples
    from compersion_nlp.training.encoder.export import export, to_eight_bits
    from compersion_nlp.training.encoder.loop import answer, fit_network, sow
    from compersion_nlp.training.encoder.loss import Answered
    from compersion_nlp.training.encoder.network import Network
except ImportError as error:
    raise MissingExtra(error.name or "torch", "train", "Training an encoder") from error


def fit(options: Options, part: Part, labels: tuple[str, ...], setting: Setting) -> EncoderScorer:
    """Returns a scorer fitted on the passages of ``part`` and on its public sets.

    Raises BadInput if a pretrained network cannot be had.
    """
    _check_heads(options, part)
    answered = None
    if options.teacher is not None:
        answered = _ask_teacher(options, options.teacher, part, labels, setting)
    setting.progress(f"Fitting the encoder on {options.base.rpartition('/')[2]}")
    student = _Pupil(options.base, options.longest, options.schedule, part, labels, setting)
    student.learn(options.schedule, options.losses, setting, answered)
    heads = head_columns(labels, part.auxiliary)
    kept = {name: heads[name] for name in options.heads}
    model = export(student.network, kept)
    names = {head.name: head.labels for head in part.auxiliary if head.name in kept}
    settings = Settings(options.longest, names)
    original = EncoderScorer(labels, settings, student.pieces.tokenizer, model)
    if not options.eight_bit:
        return original
    scorer = EncoderScorer(labels, settings, student.pieces.tokenizer, to_eight_bits(model, student.network.heads))
    scorer.original = original
    return scorer


def _check_heads(options: Options, part: Part) -> None:
    known = {head.name for head in part.auxiliary} - set(OUTPUTS)
    if odd := [name for name in options.heads if name not in known]:
        raise BadConfig(
            f"scorer.options.heads names {odd[0]!r}.", f"Sets in data.auxiliary: {', '.join(sorted(known)) or 'none'}."
        )


learns_from_auxiliary = True


class _Pupil:
    """A pretrained network with new heads, and the examples in its own word pieces."""

    def __init__(
        self, base: str, longest: int, schedule: Schedule, part: Part, labels: tuple[str, ...], setting: Setting
    ) -> None:
        sow(setting.seed)
        encoder, tokenizer, self.padding = load_base(base, setting.data_dir)
        self.pieces = WordPieces(tokenizer, longest)
        self.examples: Examples = make_examples(part, labels, self.pieces)
        queries = self.examples.gold.shape[1]
        self.network = Network(encoder, queries, len(labels), len(SCHEME.stance_names), schedule.dropout)

    def learn(self, schedule: Schedule, losses: Losses, setting: Setting, answered: Answered | None = None) -> None:
        fit_network(
            self.network, self.examples, self.padding, schedule, losses, setting.seed, setting.progress, answered
        )


def _ask_teacher(options: Options, teacher: Teacher, part: Part, labels: tuple[str, ...], setting: Setting) -> Answered:
    """Returns the teacher's answers for all examples; its weights are taken from where they are kept, if they fit."""
    setting.progress(f"Teacher: {teacher.base.rpartition('/')[2]}")
    pupil = _Pupil(teacher.base, options.longest, teacher.schedule, part, labels, setting)
    if teacher.kept is None or not _recall(pupil.network, teacher, _made_from(teacher, pupil.examples, setting)):
        pupil.learn(teacher.schedule, teacher.losses, setting)
        if teacher.kept is not None:
            teacher.kept.parent.mkdir(parents=True, exist_ok=True)
            made_from = _made_from(teacher, pupil.examples, setting)
            beside = teacher.kept.with_name(f".{teacher.kept.name}.new")
            save_file(pupil.network.state_dict(), beside, {"made_from": made_from})
            beside.replace(teacher.kept)  # whole, or not at all
    setting.progress("Asking the teacher")
    return answer(pupil.network, pupil.examples.ids, pupil.padding)


def _recall(network: Network, teacher: Teacher, made_from: str) -> bool:
    """Puts kept weights into the teacher's network; returns whether there were any made from the same."""
    if teacher.kept is None or not teacher.kept.is_file():
        return False
    with safe_open(teacher.kept, "pt") as file:
        if (file.metadata() or {}).get("made_from") != made_from:
            return False
    network.load_state_dict(load_file(teacher.kept))
    return True


def _made_from(teacher: Teacher, examples: Examples, setting: Setting) -> str:
    """Returns a digest of all that a teacher's weights depend on."""
    digest = hashlib.sha256(msgspec.json.encode([teacher.base, teacher.schedule, teacher.losses, setting.seed]))
    for array in (*examples.ids, examples.gold, examples.mentioned, examples.stances):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
