"""What is timed: the tokenizer alone, our command on files, our bundles in memory, and other libraries in memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import msgspec
from machine import COMPERSION, CORES, environment
from peers import Read, Task, find_library
from posts import write_csv

import compersion_nlp
from compersion_nlp.batch import CHUNK_SIZE
from compersion_nlp.bundle import find_bundle
from compersion_nlp.errors import BadBundle

Clock = Callable[[Sequence[str]], float]  # from posts to the seconds that reading them takes

SLICE = 1_000  # posts that are read at once in memory
CHUNKS = 16  # of a run, at least, so that two workers share few posts
MIXED = ("encoder", "auto")  # models that are timed on the mixture of passages too


class Run(msgspec.Struct, frozen=True):
    """One row: a name, the cores it may compute on, and its clock; else what keeps it from being timed.

    ``mixed`` says whether it is timed on the mixture of passages too.
    """

    name: str
    cores: int
    clock: Clock | None
    missing: str = ""
    mixed: bool = False


def time_limits(folder: Path) -> Iterator[Run]:
    """Yields the tokenizer of the encoder with nothing around it, in one thread and in two."""
    tokenizer, script = find_bundle("encoder") / "tokenizer.json", Path(__file__).with_name("limit.py")

    def clock(texts: Sequence[str], cores: int) -> float:
        command = [sys.executable, str(script), str(tokenizer), str(write_csv(folder / "posts.csv", texts))]
        done = subprocess.run(command, check=True, env=environment(cores), stdout=subprocess.PIPE, text=True)
        return float(done.stdout)

    for cores in range(1, CORES + 1):
        yield Run(f"tokenizers, {count(cores, 'thread')}", cores, bind(clock, cores), mixed=True)


def time_commands(models: Sequence[str], folder: Path) -> Iterator[Run]:
    """Yields ``compersion label`` from CSV to CSV, start-up included; with one worker, all of it in one thread."""
    source, output = folder / "posts.csv", folder / "out.csv"
    command = (*COMPERSION, "label", str(source), "-o", str(output), "--overwrite", "--quiet")

    def clock(texts: Sequence[str], cores: int, *flags: str) -> float:
        write_csv(source, texts)
        chunk = min(CHUNK_SIZE, max(1, len(texts) // CHUNKS))
        began = time.perf_counter()
        subprocess.run([*command, *flags, "--chunk-size", str(chunk)], check=True, env=environment(cores))
        return time.perf_counter() - began

    for model in models:
        missing = "" if is_there(model) else "no such bundle"
        for kind, flags in (("labels only", ("--labels-only",)), ("explained", ())):
            for cores in range(1, CORES + 1):
                arguments = ("--model", model, "--workers", str(cores), *flags)
                name = f"`{model}`, {kind}, {count(cores, 'worker')}"
                timed = None if missing else bind(clock, cores, *arguments)
                yield Run(name, cores, timed, missing, mixed=model in MIXED)


def time_in_memory(models: Sequence[str]) -> Iterator[Run]:
    """Yields the probabilities of each bundle, from texts in memory, on all cores."""
    for model in models:
        name = f"`{model}`, in memory"
        if is_there(model):
            tagger = compersion_nlp.load(model)
            yield Run(name, CORES, sliced(tagger.probabilities), mixed=model in MIXED)
        else:
            yield Run(name, CORES, None, "no such bundle", mixed=model in MIXED)


def time_libraries(names: Sequence[str], task: Task) -> Iterator[Run]:
    """Yields other libraries, fitted on the task, from texts in memory and on all cores."""
    for name in names:
        print(f"fitting {name}", file=sys.stderr)
        try:
            with redirect_stdout(sys.stderr):  # where a trainer may say how far it is
                read = find_library(name)(task)
        except ImportError:
            yield Run(name, CORES, None, "not installed")
        except OSError:
            yield Run(name, CORES, None, "no weights")
        else:
            yield Run(name, CORES, sliced(read))


def sliced(read: Read) -> Clock:
    """Returns the clock of what reads texts in memory."""

    def clock(texts: Sequence[str]) -> float:
        began = time.perf_counter()
        for at in range(0, len(texts), SLICE):
            read(texts[at : at + SLICE])
        return time.perf_counter() - began

    return clock


def bind(clock: Callable[..., float], *arguments: object) -> Clock:
    """Returns a clock with all but the texts given."""
    return lambda texts: clock(texts, *arguments)


def is_there(model: str) -> bool:
    """Returns whether there is a bundle of that name or in that folder."""
    try:
        find_bundle(model)
    except BadBundle:
        return False
    return True


def count(number: int, noun: str) -> str:
    """Returns a number with its noun."""
    return f"{number} {noun}" + "s" * (number != 1)
