"""Engines map a function over chunks: in this process, or in several worker processes.

An engine is a class that takes the number of workers, and the address of a cluster; it enters by the entry point group
``compersion_nlp.engines``. Results come back in the order of the items, whatever the engine.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

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
    """Worker processes that end whatever they are given."""


class Crash(msgspec.Struct, frozen=True):
    """Stands in the place of a result: the item ended its worker process, also where it was tried alone."""


class Engine(Protocol):
    """Maps a function over items."""

    def __init__(self, workers: int, address: str | None = None) -> None:
        """Takes the number of workers, 1 or more, and the address of a cluster, for an engine that works on one.

        Raises BadConfig if the engine has not that many, or takes no address.
        """

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result | Crash, None, None]:
        """Yields ``function(item)`` for each item, in order, with a bounded number in flight.

        What a worker had in hand when its process ended is tried again; a Crash stands for what ends its process again
        when it is tried alone. What ``function`` or ``items`` raises is raised here. ``function`` can be pickled.
        Closing the generator stops the work.
        """


def refuse_address(engine: str, address: str | None) -> None:
    """Raises BadConfig if an engine that works on this machine is given the address of a cluster."""
    if address is not None:
        raise BadConfig(
            f"The {engine} engine works on this machine, and the address {address!r} was given.",
            "Choose the engine ray, or leave the address out.",
        )


def check_workers(engine: str, workers: int) -> None:
    """Raises BadConfig for fewer workers than one."""
    if workers < 1:
        raise BadConfig(f"The {engine} engine was asked for {workers} workers.", "It takes 1 or more.")


class Serial:
    """Works in this process, one item at a time; what ends the process ends the run."""

    def __init__(self, workers: int = 1, address: str | None = None) -> None:
        refuse_address("serial", address)
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

    def __init__(self, workers: int = 1, address: str | None = None) -> None:
        refuse_address("joblib", address)
        check_workers("joblib", workers)
        self.workers = workers

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result | Crash, None, None]:
        """Yields ``function(item)`` for each item; a Crash where one ends its process again, tried alone."""
        pool = _Pool(self.workers, function)
        try:
            for item in items:
                pool.put(item)
                if len(pool) >= IN_FLIGHT * self.workers:
                    yield pool.take()
            while len(pool):
                yield pool.take()
        except BaseException:
            pool.kill()
            raise
        finally:
            pool.close()


class _Pool(Generic[Item, Result]):
    """Worker processes with the items they have in hand; they are started anew when one of them dies.

    Whose item it was is not known then: of those in hand, each that has no result is tried alone, in a process of its
    own.
    """

    def __init__(self, workers: int, function: Callable[[Item], Result]) -> None:
        self._workers, self._function = workers, function
        self._pending: deque[tuple[Item, Future[Result | Crash]]] = deque()
        self._executor = _open(workers)

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, item: Item) -> None:
        """Hands an item to the workers."""
        self._pending.append((item, self._submit(item)))

    def take(self) -> Result | Crash:
        """Waits for the result of the item that was handed over first, and returns it."""
        try:
            result = self._pending[0][1].result()
        except _died():
            self._try_again()
            result = self._pending[0][1].result()
        self._pending.popleft()
        return result

    def kill(self) -> None:
        """Ends the workers, whatever they are at."""
        # As if the workers had crashed, which the pool is built to survive; its own kill_workers fails,
        # with a traceback of its thread, where items have not yet been handed on.
        executor: Any = self._executor
        for process in list(executor._processes.values()):
            process.terminate()

    def close(self) -> None:
        """Waits for the workers to end."""
        self._executor.shutdown()

    def _submit(self, item: Item) -> Future[Result | Crash]:
        try:
            return self._executor.submit(self._function, item)
        except _died() as error:  # while nobody was looking
            return _settled(error)

    def _try_again(self) -> None:
        self._executor.shutdown()
        for place, (item, future) in enumerate(self._pending):
            if isinstance(future.exception(), _died()):
                self._pending[place] = (item, self._alone(item))
        self._executor = _open(self._workers)

    def _alone(self, item: Item) -> Future[Result | Crash]:
        self._executor = _open(1)
        future: Future[Result | Crash] = self._executor.submit(self._function, item)
        try:
            died = isinstance(future.exception(), _died())
        except BaseException:
            self.kill()
            raise
        finally:
            self._executor.shutdown()
        return _settled(Crash()) if died else future


def _settled(outcome: Any) -> Future[Any]:
    from concurrent.futures import Future

    future: Future[Any] = Future()
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
    return future


def _died() -> type[BaseException]:
    from joblib.externals.loky import BrokenProcessPool

    died: type[BaseException] = BrokenProcessPool
    return died


def _open(workers: int) -> Executor:
    from joblib.externals.loky import ProcessPoolExecutor

    pool: Executor = ProcessPoolExecutor(workers, initializer=_begin_worker, initargs=(os.getpid(),), env=ONE_THREAD)
    try:
        _start(pool)
    except BaseException:
        pool.shutdown()
        raise
    return pool


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


def _begin_worker(parent: int) -> None:
    from joblib.externals.loky import process_executor

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where psutil is installed, a worker that has grown is taken for one that leaks, and ended. Ours grow by loading a
    # model, once.
    process_executor._USE_PSUTIL = False
    if os.name == "posix":
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this worker soon after its parent was killed; the pool would let it wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(SECONDS_AN_ORPHAN_LIVES)
    os._exit(1)


def _nothing() -> None:
    """Is what a worker is started with."""
