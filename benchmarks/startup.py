"""What starting costs, beside importing what others start with: medians of several rounds in new processes.

``compersion tag`` reads one sentence, from an empty process to the reading on the terminal.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from machine import COMPERSION

from compersion_nlp.bundle import find_bundle
from compersion_nlp.errors import BadBundle

SENTENCE = "He came home glowing and I couldn't stop grinning."
MODELS = ("encoder", "fast")
IMPORTS = ("compersion_nlp", "onnxruntime, tokenizers", "spacy", "sklearn.linear_model")


def main() -> None:
    """Prints a Markdown table of seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", nargs="*", default=MODELS, metavar="MODEL", help="bundles, by name or path")
    options = parser.parse_args()
    print_starts(options.models, options.rounds)


def print_starts(models: Sequence[str], rounds: int) -> None:
    """Prints the table; a bundle that is not there gets a row that says so."""
    starts, missing = make_starts(models)
    seconds: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(rounds + 1):  # the first fills the system's cache and does not count
        for name, command in starts.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    print("| start | median s | fastest | slowest |\n| --- | ---: | ---: | ---: |")
    for name, (_, *found) in seconds.items():
        print(f"| {name} | {statistics.median(found):.2f} | {min(found):.2f} | {max(found):.2f} |")
    for name in missing:
        print(f"| {name}: no such bundle | – | – | – |", flush=True)


def make_starts(models: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Returns the command lines by what they are called, and the names of those whose bundle is not there."""
    starts = {"`python -c pass`": (sys.executable, "-c", "pass")}
    starts |= {f"`import {names}`": (sys.executable, "-c", f"import {names}") for names in IMPORTS}
    starts["`compersion --help`"] = (*COMPERSION, "--help")
    missing = []
    for model in models:
        name = f"`compersion tag --model {model}`, one sentence"
        try:
            find_bundle(model)
        except BadBundle:
            missing.append(name)
        else:
            starts[name] = (*COMPERSION, "tag", SENTENCE, "--model", model)
    return starts, missing


if __name__ == "__main__":
    main()
