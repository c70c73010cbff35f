"""The machine that a benchmark runs on, and our command as a process of its own."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from compersion_nlp.engines import ONE_THREAD

CORES = 2  # that speed is measured on, whatever the machine has
COMPERSION = (sys.executable, "-c", "from compersion_nlp.cli import main; main()")
PACKAGES = (
    "compersion-nlp",
    "numpy",
    "onnxruntime",
    "tokenizers",
    "spacy",
    "scikit-learn",
    "torch",
    "transformers",
    "sentence-transformers",
    "model2vec",
)


def keep_to(cores: int) -> None:
    """Binds this process and those that it starts to so many cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def environment(cores: int) -> dict[str, str]:
    """Returns the environment of a process: told to compute in one thread, or left to use the cores it finds."""
    if cores > 1:
        return dict(os.environ)
    return {**os.environ, **ONE_THREAD, "TOKENIZERS_PARALLELISM": "false"}


def describe() -> str:
    """Returns a line on the processor, Python and the libraries at hand."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    libraries = ", ".join(installed())
    return f"{cores} of {os.cpu_count()} cores, {processor()}; Python {platform.python_version()}; {libraries}."


def processor() -> str:
    """Returns the processor's name as Linux has it, else as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def installed() -> Iterator[str]:
    """Yields the libraries that are measured, with their versions."""
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
