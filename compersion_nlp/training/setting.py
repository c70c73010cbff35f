"""What a fitter is told beside its options and its passages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

Progress = Callable[[str], None]


def say_nothing(step: str) -> None:
    """Is the progress of a fit that nobody watches."""


class Setting(msgspec.Struct, frozen=True):
    """Where and how a fit runs.

    ``data_dir`` is a folder in which public sets and pretrained networks are looked for, each by its name, before the
    hub is asked. ``progress`` is told each step of long work.
    """

    seed: int = 0
    data_dir: Path | None = None
    progress: Progress = say_nothing
