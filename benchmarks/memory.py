"""The memory that labelling a large file takes: the peak of all its processes together (Linux).

A process's share is its resident memory, so what processes share counts in each.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

from posts import make_posts

MEGABYTE = 10**6
DISTINCT = 20_000  # posts that are made; the file repeats them under new ids


def main() -> None:
    """Prints the peak, and the growth from the first third of the run to the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="linear")
    parser.add_argument("--size", type=int, default=1000, help="megabytes of CSV")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--explained", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to write; it needs three times the size")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        source = Path(folder, "posts.csv")
        rows = write_csv(source, options.size * MEGABYTE)
        print(f"{source.stat().st_size / MEGABYTE:,.0f} MB, {rows:,} rows")
        flags = ["--model", options.model, "--workers", str(options.workers), "--id-column", "id", "--quiet"]
        flags += [] if options.explained else ["--labels-only"]
        began = time.perf_counter()
        samples = sample([*flags, str(source), "-o", str(source.with_name("out.csv"))])
        seconds = time.perf_counter() - began
    third = len(samples) // 3
    print(f"{'peak MB':>10}{'first third':>14}{'last third':>14}{'seconds':>10}{'rows/s':>10}")
    first, last = max(samples[: third + 1]), max(samples[-third - 1 :])
    print(f"{max(samples):>10,.0f}{first:>14,.0f}{last:>14,.0f}{seconds:>10,.0f}{rows / seconds:>10,.0f}")


def write_csv(path: Path, size: int) -> int:
    """Writes posts until the file has ``size`` bytes; returns how many."""
    posts, rows = list(islice(make_posts(), DISTINCT)), 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        while file.tell() < size:
            for post in posts[: max(1, DISTINCT // 20)] if rows < DISTINCT else posts:
                rows += 1
                writer.writerow([rows, post])
    return rows


def sample(arguments: list[str]) -> list[float]:
    """Runs the command and returns the megabytes that it and its children held, ten times a second."""
    command = [sys.executable, "-c", "from compersion_nlp.cli import main; main()", "label", *arguments]
    samples = []
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            samples.append(sum(map(resident, tree(process.pid))) / MEGABYTE)
            time.sleep(0.1)
    if process.returncode:
        sys.exit(process.returncode)
    return samples


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


if __name__ == "__main__":
    main()
