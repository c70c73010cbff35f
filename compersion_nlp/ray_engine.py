"""The engine that works on Ray: on the nodes of a cluster, or on this machine.

Without an address, Ray is started for the run: it listens to this machine alone, reports to nobody,
and ends with the run.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import ModuleType
from typing import Any

from compersion_nlp.engines import IN_FLIGHT, Crash, Item, Result, WorkerDied, check_workers
from compersion_nlp.errors import BadConfig, MissingExtra

try:
    import ray
except ImportError:
    raise MissingExtra("ray", "ray", "Labelling on a Ray cluster") from None

from ray._private import ray_constants, services
from ray._private import worker as ray_worker
from ray.exceptions import RayError

from compersion_nlp.ray_crew import Crew

SECONDS_TO_ANSWER = 5.0  # for the head of a cluster, which Ray itself would try for minutes
TRIES_TO_CLEAR = 50

# A Ray of our own reports to nobody. Its processes know each other by a secret of this one, which would
# otherwise be kept in the user's home. It starts no worker before one is asked for, and none waits for
# every other process of the machine, as Ray's workers do.
ALONE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_prestart_worker_first_driver": "0",
    "RAY_worker_niceness": "0",
}


class Ray:
    """Works in processes that Ray runs, one CPU and one thread each.

    A cluster with fewer CPUs than workers gives as many as it has. Where Ray already runs in this process, it is used
    as it is and left running.
    """

    _maps = 0  # under way in this process

    def __init__(self, workers: int = 1, address: str | None = None) -> None:
        check_workers("ray", workers)
        if address is not None and "://" in address:
            raise BadConfig(
                f"The ray engine cannot work through a Ray client, which is what {address!r} names.",
                "Start the run on a node of the cluster, with the address auto or HOST:PORT.",
            )
        self.workers, self.address = workers, address

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result | Crash, None, None]:
        """Yields ``function(item)`` for each item; a Crash where one ends its process again, tried alone.

        Raises BadConfig if the cluster cannot be joined or gives no CPU, and WorkerDied if no worker can be started.
        """
        cpus = 0 if Ray._maps else 1  # within another run of ours, whose workers wait and keep their CPUs
        Ray._maps += 1
        try:
            with _connected(self.address, self.workers), closing(Crew(self.workers, function, cpus)) as crew:
                for item in items:
                    crew.put(item)
                    if len(crew) >= IN_FLIGHT * self.workers:
                        yield crew.take()
                while len(crew):
                    yield crew.take()
        except RayError as error:
            raise WorkerDied(
                f"The Ray cluster was lost: {_first_line(error)}", "See whether it still runs, and join it again."
            ) from None
        finally:
            Ray._maps -= 1


@contextmanager
def _connected(address: str | None, workers: int) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    # Ray prints there which worker died, whatever it is told; our results may go there.
    with _changed(ray_worker, "print_to_stdstream", _print_nothing):
        try:
            with _started(workers) if address is None else _joined(address):
                yield
        finally:
            ray.shutdown()


@contextmanager
def _started(workers: int) -> Iterator[None]:
    with _folder() as folder:
        # Ray listens to all the world but where firewalls would ask the user; so should it here.
        with _environment(ALONE), _changed(ray_constants, "ENABLE_RAY_CLUSTER", False):
            _begin(
                "Ray could not be started on this machine",
                "Choose the engine joblib, or give the address of a Ray cluster.",
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                _temp_dir=folder,
            )
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _folder() -> Iterator[str]:
    """Makes a folder for Ray's logs and sockets, which is gone afterwards."""
    # The path of a socket cannot be long.
    folder = mkdtemp(prefix="ray-", dir="/tmp" if os.name == "posix" else None)
    try:
        yield folder
    finally:
        for _ in range(TRIES_TO_CLEAR):  # the last processes may still write there
            rmtree(folder, ignore_errors=True)
            if not Path(folder).exists():
                break
            time.sleep(0.1)


@contextmanager
def _joined(address: str) -> Iterator[None]:
    complaint = f"The Ray cluster at {address!r} could not be joined"
    hint = "Start the run on a node of a running cluster, with the address auto or HOST:PORT."
    try:
        _call(address)
    except (ConnectionError, OSError, ValueError) as error:
        raise BadConfig(f"{complaint}: {error}", hint) from None
    # What answers may be no Ray; it is tried once, for less than a minute, and not twenty times.
    with _environment({"RAY_gcs_server_port_wait_time_s": "1"}):
        _begin(complaint, hint, address=address)
    yield


def _call(address: str) -> None:
    """Raises an error if there is no such address, or nobody answers there: Ray itself would try for minutes."""
    found = services.canonicalize_bootstrap_address(address)
    if found is None:
        raise ConnectionError("no cluster runs here")
    host, _, port = found.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()


def _begin(complaint: str, hint: str, **options: Any) -> None:
    """Starts Ray, or joins a cluster, and raises BadConfig if that fails."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        # Whatever matters is raised; what Ray logs, and what workers print, might quote a passage.
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except Exception as error:
        ray.shutdown()
        raise BadConfig(f"{complaint}: {_first_line(error)}", hint) from None
    finally:
        # Ray sets a handler of its own, which is not ours to set.
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (*variables, "RAY_AUTH_MODE")}  # which Ray sets
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _changed(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    """Changes what Ray has no option for."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _print_nothing(*arguments: Any, **options: Any) -> None:
    """Stands in for what prints."""


def _first_line(error: Exception) -> str:
    return next(chain(str(error).splitlines(), [type(error).__name__]))
