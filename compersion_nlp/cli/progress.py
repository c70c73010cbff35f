"""Progress of a batch: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars

from compersion_nlp.cli.console import err

if TYPE_CHECKING:
    from compersion_nlp.batch import Progress

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def show_progress() -> Iterator[Callable[[Progress], None]]:
    """Yields what a job is to be told its progress with; all of it goes to standard error."""
    if err.is_terminal:
        with _bars() as bars:
            yield _on_terminal(bars)
    else:
        yield _in_lines()


def _bars() -> Bars:
    return Bars(TextColumn("{task.description:<8}"), BarColumn(), TextColumn("{task.fields[state]}"), console=err)


def _on_terminal(bars: Bars) -> Callable[[Progress], None]:
    starting = bars.add_task("starting", total=None, state="")
    tasks = {}

    def tell(progress: Progress) -> None:
        if progress.stage not in tasks:
            bars.update(starting, visible=False)
            tasks[progress.stage] = bars.add_task(progress.stage, total=None, state="")
        total = None if progress.share is None else 1.0
        bars.update(tasks[progress.stage], completed=progress.share or 0.0, total=total, state=describe(progress))

    return tell


def _in_lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= SECONDS_BETWEEN_LINES:
            last = now
            err.print(f"{progress.stage}: {describe(progress)}")

    return tell


def describe(progress: Progress) -> str:
    """Returns rows so far, rate and time left, as far as they can be told."""
    parts = [f"{progress.items:,} rows"]
    if progress.share is not None:
        parts[0] += f" ({min(99, int(100 * progress.share))}%)"  # an estimate, so never quite done
    if progress.rejected:
        parts.append(f"{progress.rejected:,} rejected")
    if progress.rate:
        parts.append(f"{progress.rate:,.0f}/s")
    if progress.remaining is not None:
        parts.append(f"{_clock(progress.remaining)} left")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
