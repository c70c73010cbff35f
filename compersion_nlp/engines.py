"""Engines map a function over chunks: in this process, or in several worker processes.

An engine is a class that takes the number of workers; it enters by the entry point group
``compersion_nlp.engines``. Results come back in the order of the items, whatever the engine.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from compersion_nlp.errors import BadConfig, CompersionError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

SECONDS_AN_ORPHAN_LIVES = 1.0
IN_FLIGHT = 3  # items a worker: one at work, one waiting, one done and not yet taken

# N workers are to use N cores: what computes in a worker must not start a thread for every core.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "RAYON_NUM_THREADS",
    ),
    "1",
)


class WorkerDied(CompersionError):
    """A worker process that ended without an answer."""


class Engine(Protocol):
    """Maps a function over items."""

    def __init__(self, workers: int) -> None:
        """Takes the number of workers, 1 or more; raises BadConfig if the engine has not that many."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
        """Yields ``function(item)`` for each item, in order, with a bounded number in flight.

        What ``function`` or ``items`` raises is raised here. ``function`` can be pickled. Closing
        the generator stops the work.
        """


class Serial:
    """Works in this process, one item at a time."""

    def __init__(self, workers: int = 1) -> None:
        if workers != 1:
            raise BadConfig(
                f"The serial engine has one worker, and {workers} were asked for.", "Choose the engine joblib."
            )

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
        """Yields ``function(item)`` for each item."""
        yield from map(function, items)


class Joblib:
    """Works in a pool of processes of this machine: joblib's own, loky.

    The pool is used directly and not through ``joblib.Parallel``, which takes its items in a thread
    of its own (what they raise is lost, and the caller waits for ever) and goes on computing
    however far its results are ahead of their reader.
    """

    def __init__(self, workers: int = 1) -> None:
        if workers < 1:
            raise BadConfig(f"The joblib engine was asked for {workers} workers.", "It takes 1 or more.")
        self.workers = workers

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
        """Yields ``function(item)`` for each item; raises WorkerDied if a worker process does."""
        with _pool(self.workers) as pool:
            pending: deque[Future[Result]] = deque()
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= IN_FLIGHT * self.workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

    pool: Executor = ProcessPoolExecutor(workers, initializer=_begin_worker, initargs=(os.getpid(),), env=ONE_THREAD)
    try:
        _start(pool)
        yield pool
    except BrokenProcessPool as error:
        raise WorkerDied(
            "A worker process died: it was killed, or the machine ran out of memory.",
            "Try fewer workers.",
        ) from error
    except BaseException:
        _kill(pool)
        raise
    finally:
        pool.shutdown()


def _start(pool: Executor) -> None:
    """Starts the workers deaf to Ctrl-C, which is the parent's to handle, from their first moment.

    A process inherits that a signal is ignored; the initializer would come too late for one that is
    still importing. Only the main thread can set it, and only there is Ctrl-C raised.
    """
    if threading.current_thread() is not threading.main_thread():
        pool.submit(_nothing)
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pool.submit(_nothing)
    finally:
        signal.signal(signal.SIGINT, before)


def _kill(pool: Any) -> None:
    # As if the workers had crashed, which the pool is built to survive; its own kill_workers fails,
    # with a traceback of its thread, where items have not yet been handed on.
    for process in list(pool._processes.values()):
        process.terminate()


def _begin_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this worker soon after its parent was killed; the pool would let it wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(SECONDS_AN_ORPHAN_LIVES)
    os._exit(1)


def _nothing() -> None:
    """Is what a worker is started with."""
