"""Time and memory of labelling files of growing size, CSV to CSV: does either grow faster than the file (Linux)?

Memory is the peak of all processes of the command together, looked at ten times a second. A process's share is its
resident memory, so what processes share counts in each. Prints a Markdown table, a row as soon as it is done.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

import msgspec
from machine import COMPERSION, describe
from posts import make_posts, write_csv
from runs import count, is_there

MEGABYTE = 10**6
DISTINCT = 20_000  # posts that are made; a file repeats them under new ids
COLUMNS = (
    "run",
    "rows",
    "MB of CSV",
    "seconds",
    "rows/s",
    "× rows of the size before",
    "× its seconds",
    "× its peak",
    "peak MB",
    "peak MB of the smallest",
    "account",
)
MODELS = ("fast", "auto")
NONE = "–"


class Measured(msgspec.Struct, frozen=True):
    """A command that has ended: the rows and the megabytes of its input, what it took, and its account's line."""

    rows: int
    size: float
    seconds: float
    peak: float
    account: str


def main() -> None:
    """Prints the table; a bundle that is not there gets a row that says so."""
    options = read_options()
    print(describe(), end="\n\n")
    print(f"| {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * (len(COLUMNS) - 2)} --- |", flush=True)
    posts = list(islice(make_posts(options.words, options.seed), min(DISTINCT, max(options.sizes))))
    flags = ["--workers", str(options.workers), "--id-column", "id", *([] if options.explained else ["--labels-only"])]
    for model in options.models:
        name = f"`{model}`, {'explained' if options.explained else 'labels only'}, {count(options.workers, 'worker')}"
        if not is_there(model):
            print_row([f"{name}: no such bundle", *[NONE] * (len(COLUMNS) - 1)])
            continue
        done: list[Measured] = []
        for rows in sorted(options.sizes):
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                done.append(measure(posts, rows, Path(folder), ["--model", model, *flags]))
            print_row([name, *figures(done)])


def read_options() -> argparse.Namespace:
    """Returns what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=(10_000, 100_000, 1_000_000), help="rows of the files")
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="MODEL", help="bundles, by name or path")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--explained", action="store_true", help="with stances and evidence, not labels only")
    parser.add_argument("--words", type=int, default=100, help="of a post, about")
    parser.add_argument("--folder", type=Path, help="where to write; it needs four times the largest file")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def measure(posts: Sequence[str], rows: int, folder: Path, flags: Sequence[str]) -> Measured:
    """Labels a file of so many rows and returns what that took; ends with the command's exit code if it fails."""
    source = write_csv(folder / "posts.csv", islice(cycle(posts), rows))
    command = [*COMPERSION, "label", str(source), "-o", str(folder / "out.csv"), *flags]
    peak, began = 0, time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(resident, tree(process.pid))))
            time.sleep(0.1)
        seconds = time.perf_counter() - began
        account = process.stdout.readline().strip() if process.stdout else ""
    if process.returncode:
        sys.exit(process.returncode)
    return Measured(rows, source.stat().st_size / MEGABYTE, seconds, peak / MEGABYTE, account)


def tree(pid: int) -> list[int]:
    """Returns a process and all its descendants."""
    children: list[str] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has just ended
            children += task.read_text().split()
    return [pid, *(descendant for child in children for descendant in tree(int(child)))]


def resident(pid: int) -> int:
    """Returns the resident bytes of a process, 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)


def figures(done: Sequence[Measured]) -> list[str]:
    """Returns the cells of the last of the sizes, all but the name."""
    last = done[-1]
    growth = [NONE] * 3
    if len(done) > 1:
        before = done[-2]
        ratios = (last.rows / before.rows, last.seconds / before.seconds, last.peak / before.peak)
        growth = [f"{ratio:.2f}" for ratio in ratios]
    return [
        f"{last.rows:,}",
        f"{last.size:,.1f}",
        f"{last.seconds:,.1f}",
        f"{last.rows / last.seconds:,.0f}",
        *growth,
        f"{last.peak:,.0f}",
        f"{done[0].peak:,.0f}",
        last.account,
    ]


def print_row(cells: Sequence[str]) -> None:
    """Prints a row of the table."""
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
