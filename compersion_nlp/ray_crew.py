"""Workers on Ray, and the items that each has in hand."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from compersion_nlp.engines import ONE_THREAD, Crash, Item, Result, WorkerDied
from compersion_nlp.errors import BadConfig

SECONDS_TO_START = 120.0  # for the first worker: a busy cluster may have no CPU free
SECONDS_OF_QUIET = 2.0  # after which it is asked what holds the work up
FAILED_STARTS = 3  # in a row, a worker: with its node, many are lost at once
IN_HAND = 2  # items a worker: one at work and one waiting; what is done waits with the caller


class _Worker:
    """Holds the function, in a process of its own."""

    def begin(self, function: Callable[[Any], Any]) -> str:
        """Takes the function; returns the node that the process runs on."""
        # What a worker prints is kept in Ray's logs.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.function = function
        node: str = ray.get_runtime_context().get_node_id()
        return node

    def call(self, item: Any) -> tuple[Any, BaseException | None]:
        """Returns the function's result, or what it raised: an error that leaves a worker is logged."""
        try:
            return self.function(item), None
        except BaseException as error:
            return None, error


class _Task(Generic[Item, Result]):
    """An item, and what became of it."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = False
        self.result: Result | Crash | None = None
        self.error: BaseException | None = None

    def settle(self, result: Result | Crash | None, error: BaseException | None = None) -> None:
        """Keeps the result or the error."""
        self.done, self.result, self.error = True, result, error


class _Hand:
    """A worker, seen from here: it is asked to begin, has begun on a node, has items in hand, and is dismissed."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.node: str | None = None
        self.held = 0  # items in hand
        self.fresh = True  # has had none
        self.alone = False  # has one that is tried alone

    @property
    def idle(self) -> bool:
        """Whether it has begun and waits for work."""
        return self.node is not None and not self.held

    @property
    def free(self) -> bool:
        """Whether it can take another item."""
        return self.node is not None and not self.alone and self.held < IN_HAND


class Crew(Generic[Item, Result]):
    """Workers with the items they have in hand; another begins when one of them dies.

    Which item it died of is not known: each that it had in hand and gave no result for is a suspect, and is tried
    alone, by a worker that has had no other.
    """

    def __init__(self, workers: int, function: Callable[[Item], Result], cpus: int = 1) -> None:
        self._function, self._cpus = function, cpus
        self._most_failed = FAILED_STARTS * workers
        self._pending: deque[_Task[Item, Result]] = deque()  # in order; done, in hand, or in one of the next two
        self._waiting: deque[_Task[Item, Result]] = deque()
        self._suspects: deque[_Task[Item, Result]] = deque()
        self._hands: list[_Hand] = []
        self._calls: dict[Any, tuple[_Hand, _Task[Item, Result] | None]] = {}  # without an item: asked to begin
        self._failed_starts = 0
        self._last_seen = time.monotonic()  # when there last was a worker that had begun
        for _ in range(workers):
            self._hire()

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, item: Item) -> None:
        """Hands an item to the workers."""
        task: _Task[Item, Result] = _Task(item)
        self._pending.append(task)
        self._waiting.append(task)
        while self._receive(0):
            pass
        self._assign()

    def take(self) -> Result | Crash:
        """Waits for the result of the item that was handed over first, and returns it."""
        while not self._pending[0].done:
            if not self._receive(SECONDS_OF_QUIET):
                self._look_around()
            self._assign()
        task = self._pending.popleft()
        if task.error is not None:
            raise task.error
        return task.result  # type: ignore[return-value]

    def close(self) -> None:
        """Ends the workers, whatever they are at."""
        if ray.is_initialized():  # or it ended before us, with the interpreter
            for hand in self._hands:
                ray.kill(hand.actor)

    def _hire(self) -> None:
        hand = _Hand(_ACTOR.options(num_cpus=self._cpus, runtime_env={"env_vars": ONE_THREAD}).remote())
        self._hands.append(hand)
        self._calls[hand.actor.begin.remote(self._function)] = (hand, None)

    def _replace(self, hand: _Hand) -> None:
        if hand in self._hands:
            self._hands.remove(hand)
            ray.kill(hand.actor)
            self._hire()

    def _assign(self) -> None:
        """Gives items to the workers that have begun, suspects first."""
        while self._suspects and (hand := next((one for one in self._hands if one.idle and one.fresh), None)):
            hand.alone = True
            self._give(hand, self._suspects.popleft())
        while self._waiting and (hand := min((one for one in self._hands if one.free), key=_held, default=None)):
            self._give(hand, self._waiting.popleft())

    def _give(self, hand: _Hand, task: _Task[Item, Result]) -> None:
        hand.fresh = False
        hand.held += 1
        self._calls[hand.actor.call.remote(task.item)] = (hand, task)

    def _receive(self, seconds: float) -> bool:
        """Waits so long for an answer of a worker; returns whether there was one."""
        answered, _ = ray.wait(list(self._calls), num_returns=1, timeout=seconds)
        if answered:
            self._last_seen = time.monotonic()
        for call in answered:
            hand, task = self._calls.pop(call)
            if task is None:
                self._welcome(hand, call)
            else:
                self._settle(hand, task, call)
        return bool(answered)

    def _welcome(self, hand: _Hand, call: Any) -> None:
        try:
            hand.node = ray.get(call)
        except RayError as error:
            self._failed_starts += 1
            if isinstance(error, RayTaskError) or self._failed_starts >= self._most_failed:
                raise WorkerDied(
                    f"A Ray worker could not be started: {_last_line(error)}",
                    "Install the same versions of compersion-nlp, Ray and Python on every node of the cluster.",
                ) from None
            self._replace(hand)
        else:
            self._failed_starts = 0

    def _settle(self, hand: _Hand, task: _Task[Item, Result], call: Any) -> None:
        hand.held -= 1
        try:
            task.settle(*ray.get(call))
        except RayTaskError as error:  # what the function returned or raised cannot travel
            task.settle(None, error.cause)
        except RayError:
            self._lose(hand, task)
            return
        self._release(hand)

    def _lose(self, hand: _Hand, task: _Task[Item, Result]) -> None:
        # A worker that died with its node says nothing about its item.
        if hand.alone and hand.node is not None and _is_alive(hand.node):
            task.settle(Crash())
        else:
            self._suspects.append(task)
        self._replace(hand)

    def _release(self, hand: _Hand) -> None:
        """Lets a worker that tried a suspect go on with the others, or make room for who tries the next."""
        if hand.alone and self._suspects:
            self._replace(hand)
        hand.alone = False

    def _look_around(self) -> None:
        """Sees to it that the wait for a result is not without end."""
        now = time.monotonic()
        if any(hand.node is not None for hand in self._hands):
            self._last_seen = now
        elif now - self._last_seen > SECONDS_TO_START:
            raise BadConfig(
                f"Ray gave no worker a CPU in {SECONDS_TO_START:.0f} seconds: {_count_cpus()}.",
                "Add nodes to the cluster, or wait until others have done their work on it.",
            )
        # Suspects wait for a new worker, which may wait for the CPU of one that has nothing to do.
        if self._suspects and (idle := next((hand for hand in self._hands if hand.idle), None)):
            self._replace(idle)


_ACTOR: Any = ray.remote(max_restarts=0, max_task_retries=0)(_Worker)


@ray.remote(num_cpus=0, max_retries=0)
def _answer() -> None:
    """Shows that the node it runs on is there."""


def _is_alive(node: str) -> bool:
    """Asks a node, for the cluster takes a while to find out that one is gone."""
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    try:
        ray.get(_answer.options(scheduling_strategy=there).remote(), timeout=SECONDS_TO_START)
    except RayError:
        return False
    return True


def _held(hand: _Hand) -> int:
    return hand.held


def _count_cpus() -> str:
    every, free = (counted.get("CPU", 0) for counted in (ray.cluster_resources(), ray.available_resources()))
    return f"the cluster has {every:.0f}, of which {free:.0f} are free"


def _last_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[-1]
