"""The Ray engine: order, bounds, errors, and what becomes of the items of workers and nodes that die."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("ray")

import ray
from ray._private import ray_constants
from ray.cluster_utils import Cluster

from compersion_nlp import ray_crew
from compersion_nlp.engines import IN_FLIGHT, Crash
from compersion_nlp.errors import BadConfig, MissingExtra
from compersion_nlp.ray_engine import Ray
from compersion_nlp.registry import ENGINES

SECONDS_FOR_PROCESSES_TO_END = 20


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Lets a test connect to this machine, where its cluster is, and to nothing else."""
    connect = socket.socket.connect

    def refuse(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError("a test opened a network connection")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def cluster():
    """A cluster of this machine: a head that does no work, and two nodes of one CPU each."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        patch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)  # it is one of this machine
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_worker_niceness", "0")  # on a busy machine, tests would take minutes
        head = {"num_cpus": 0, "node_ip_address": "127.0.0.1", "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        cluster.folder = Path(folder)
        for _ in range(2):
            add_node(cluster)
        yield cluster
        cluster.shutdown()


def add_node(cluster):
    return cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")


@pytest.fixture
def engine(cluster):
    return Ray(2, cluster.address)


@pytest.fixture
def lone(cluster):
    """One worker, which is what takes the time here."""
    return Ray(1, cluster.address)


def double(number):
    time.sleep(0.02 if number == 0 else 0)  # the first is the slowest
    return 2 * number


def ask_for_pandas_at_two(number):
    if number == 2:
        raise MissingExtra("pandas", "tables", "This")
    return number


def threads(number):
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_info

    limits = {library["num_threads"] for library in threadpool_info()}
    return limits, os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]


def process(number):
    time.sleep(0.05)
    return os.getpid()


def end_at_three(number):
    if number == 3:
        os._exit(1)
    return 2 * number


def mumble(word):
    print(word, flush=True)
    os.write(2, word.encode())
    raise ValueError(word)


def where(number):
    time.sleep(0.05)
    return number, ray.get_runtime_context().get_node_id()


class Unlucky:
    """Ends its worker the first time that it sees the number 3, and its worker's whole node the second time."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, number):
        if number == 3:
            time_of_many = len(list(self.folder.iterdir()))
            (self.folder / str(time_of_many)).touch()
            if time_of_many == 1:
                os.kill(os.getppid(), signal.SIGKILL)
            if time_of_many < 2:
                os._exit(1)
        return 2 * number


class Unreadable:
    """A function that no worker can take."""

    def __reduce__(self):
        return __import__, ("no_such_module",)

    def __call__(self, number):
        return number


def test_results_come_in_the_order_of_the_items(engine):
    assert list(engine.map(double, range(20))) == list(range(0, 40, 2))


def test_items_are_taken_only_a_few_ahead_of_the_results(engine):
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    results = engine.map(double, items())
    next(results)
    assert len(taken) <= IN_FLIGHT * 2
    results.close()


def test_what_the_function_raises_is_raised_as_it_was_in_its_place(lone):
    results = lone.map(ask_for_pandas_at_two, range(4))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(MissingExtra, match=r"This needs the package pandas.*\n.*compersion-nlp\[tables\]") as raised:
        next(results)
    assert raised.type is MissingExtra


def test_what_the_items_raise_is_raised_and_nothing_hangs(lone):
    def items():
        yield 1
        raise ValueError("row 2 is off")

    with pytest.raises(ValueError, match="row 2 is off"):
        list(lone.map(double, items()))


def test_workers_compute_on_one_thread_each(lone):
    assert list(lone.map(threads, [1])) == [({1}, "1", "1")]


def test_work_can_be_mapped_outside_the_main_thread(lone):
    results = []
    thread = threading.Thread(target=lambda: results.extend(lone.map(double, [1, 2])))
    thread.start()
    thread.join()
    assert results == [2, 4]


def test_an_item_that_ends_its_worker_is_a_crash_and_the_others_are_not(engine, capfd):
    results = list(engine.map(end_at_three, range(12)))
    assert results == [Crash() if number == 3 else 2 * number for number in range(12)]
    assert capfd.readouterr() == ("", "")


def test_the_items_of_a_worker_that_was_killed_are_tried_again(engine):
    workers = []
    for worker in engine.map(process, range(40)):
        workers.append(worker)
        if len(workers) == 5:
            os.kill(worker, signal.SIGKILL)
    assert len(workers) == 40
    assert Crash() not in workers
    assert len(set(workers)) >= 3


def test_the_items_of_a_node_that_was_lost_are_tried_again(cluster):
    node = add_node(cluster)
    found = []
    for number, place in Ray(3, cluster.address).map(where, range(60)):
        found.append(number)
        if node is not None and place == node.node_id:
            cluster.remove_node(node, allow_graceful=False)
            node = None
    assert node is None
    assert found == list(range(60))


def test_an_item_that_was_alone_on_a_node_that_was_lost_is_no_crash(engine, cluster, tmp_path):
    try:
        assert list(engine.map(Unlucky(tmp_path), range(12))) == list(range(0, 24, 2))
        assert len(list(tmp_path.iterdir())) == 3
    finally:
        add_node(cluster)


def test_a_cluster_with_fewer_cpus_than_workers_gives_what_it_has(cluster):
    workers = list(Ray(5, cluster.address).map(process, range(30)))
    assert len(workers) == 30
    assert len(set(workers)) <= 2


def test_a_cluster_without_a_free_cpu_is_an_error_and_not_a_wait(cluster, monkeypatch):
    others = Ray(2, cluster.address).map(double, range(20))
    next(others)  # has the CPUs, and waits to be read on
    monkeypatch.setattr(ray_crew, "SECONDS_OF_QUIET", 0.2)
    monkeypatch.setattr(ray_crew, "SECONDS_TO_START", 2)
    monkeypatch.setattr(Ray, "_maps", 0)  # as if it were somebody else's
    try:
        with pytest.raises(BadConfig, match=r"no worker a CPU in 2 seconds: the cluster has \d, of which 0 are free"):
            list(Ray(1, cluster.address).map(double, [1]))
    finally:
        others.close()


def test_a_map_within_another_does_not_wait_for_its_cpus(engine, cluster):
    found = []
    for number in engine.map(double, range(8)):
        found.append(number)
        if number == 4:
            assert list(Ray(1, cluster.address).map(end_at_three, [3, 4])) == [Crash(), 8]
    assert found == list(range(0, 16, 2))


def test_a_function_that_no_worker_can_take_is_an_error(lone):
    with pytest.raises(ray_crew.WorkerDied, match=r"could not be started: .*no_such_module(.|\n)*the same versions"):
        list(lone.map(Unreadable(), [1]))


def test_a_ray_that_runs_already_is_used_and_left_running(cluster):
    ray.init(cluster.address, log_to_driver=False, logging_level="CRITICAL")
    try:
        assert list(Ray(1).map(double, [1, 2])) == [2, 4]
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_what_a_worker_prints_or_raises_is_in_no_log(lone, cluster):
    word = "unmistakeable"
    with pytest.raises(ValueError, match=word):
        list(lone.map(mumble, [word]))
    logs = [path for path in cluster.folder.rglob("*") if path.is_file()]
    assert len(logs) > 10
    assert not [path for path in logs if word.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def tiny_job(tmp_path_factory):
    """Returns a function that runs one small job in a folder of its own, and what one process makes of it."""
    from tiny_job import run, write_tiny_bundle, write_tiny_posts  # workers import this module, and not that one

    folder = tmp_path_factory.mktemp("job")
    bundle, posts = write_tiny_bundle(folder / "tiny"), write_tiny_posts(folder / "posts.csv")

    def run_it(**changes):
        return run(bundle, posts, tmp_path_factory.mktemp("out"), **changes)

    return run_it, run_it()


def test_a_job_has_the_same_bytes_as_in_one_process(cluster, tiny_job):
    run, (expected, here) = tiny_job
    found, there = run(engine="ray", workers=2, address=cluster.address)
    assert found == expected
    assert (there.labelled, there.reasons, there.engine) == (here.labelled, here.reasons, "ray")


def test_a_job_has_the_same_bytes_where_a_node_is_lost_on_the_way(cluster, tiny_job):
    run, (expected, _) = tiny_job
    nodes = [add_node(cluster)]

    def lose_one(progress):
        if nodes and progress.chunks == 3:
            cluster.remove_node(nodes.pop(), allow_graceful=False)

    found, _ = run(progress=lose_one, engine="ray", workers=3, address=cluster.address)
    assert not nodes
    assert found == expected


def test_a_cluster_that_does_not_answer_is_refused(cluster):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BadConfig, match=rf"'{address}' could not be joined: .*refused\n.*auto or HOST:PORT"):
            list(Ray(1, address).map(double, [1]))


def test_an_address_that_is_none_is_refused():
    with pytest.raises(BadConfig, match="'nonsense' could not be joined: Invalid address format"):
        list(Ray(1, "nonsense").map(double, [1]))


def test_the_address_of_a_client_is_refused():
    with pytest.raises(BadConfig, match=r"'ray://head:10001' names.\nStart the run on a node"):
        Ray(1, "ray://head:10001")


def test_no_workers_are_refused():
    with pytest.raises(BadConfig, match="0 workers"):
        Ray(0)


def test_it_is_registered():
    assert ENGINES.get("ray") is Ray


def test_an_interrupt_of_the_whole_group_reaches_the_caller_alone():
    child = start("""
        try:
            for result in Ray(2).map(time.sleep, [0.01] * 100000):
                print("going", flush=True)
        except KeyboardInterrupt:
            print("stopped")
    """)
    assert child.stdout.readline() == "going\n"
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert out.endswith("stopped\n")
    assert err == ""
    assert_all_end(child.pid)


def test_nothing_outlives_a_caller_that_was_killed():
    child = start("""
        for result in Ray(1).map(time.sleep, [0.01] * 100000):
            print("going", flush=True)
    """)
    assert child.stdout.readline() == "going\n"
    child.kill()
    child.communicate(timeout=30)
    # Ray's two agents look for their head for another minute.
    assert_all_end(child.pid, but=("ray::DashboardAgent", "ray::RuntimeEnvAgent"))


def start(script):
    """Starts a script in a session of its own."""
    script = "import time\nfrom compersion_nlp.ray_engine import Ray\n" + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def assert_all_end(session, but=()):
    """Fails if a process of the session is there for long, but for those of the names given."""
    until = time.monotonic() + SECONDS_FOR_PROCESSES_TO_END
    while left := [name for name in processes(session) if name.strip() not in but]:
        assert time.monotonic() < until, f"still there: {left}"
        time.sleep(0.5)


def processes(session):
    """Returns the processes of a session, but for those that ended and wait to be buried."""
    listed = subprocess.run(["ps", "-eo", "sess=,stat=,args="], stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [args[0] for number, state, *args in rows if number == str(session) and not state.startswith("Z")]
