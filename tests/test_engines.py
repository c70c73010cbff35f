"""Engines: order, bounds, errors on either side, and quiet interrupts."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from compersion_nlp.engines import IN_FLIGHT, Crash, Joblib, Serial
from compersion_nlp.errors import BadConfig, MissingExtra
from compersion_nlp.registry import ENGINES

BOTH = pytest.mark.parametrize("engine", [Serial(1), Joblib(2)], ids=["serial", "joblib"])


def double(number):
    time.sleep(0.02 if number == 0 else 0)  # the first is the slowest
    return 2 * number


def divide(number):
    return 1 // number


def ask_for_pandas(number):
    raise MissingExtra("pandas", "tables", "This")


def die(number):
    os._exit(1)


def threads(number):
    return os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]


@BOTH
def test_results_come_in_the_order_of_the_items(engine):
    assert list(engine.map(double, range(20))) == list(range(0, 40, 2))


@BOTH
def test_no_items_give_no_results(engine):
    assert list(engine.map(double, [])) == []


@BOTH
def test_items_are_taken_only_a_few_ahead_of_the_results(engine):
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    results = engine.map(double, items())
    next(results)
    assert len(taken) <= IN_FLIGHT * 2
    del results


@BOTH
def test_what_the_function_raises_is_raised(engine):
    with pytest.raises(ZeroDivisionError):
        list(engine.map(divide, [2, 1, 0]))


@BOTH
def test_what_the_items_raise_is_raised_and_nothing_hangs(engine):
    def items():
        yield 1
        raise ValueError("row 2 is off")

    with pytest.raises(ValueError, match="row 2 is off"):
        list(engine.map(double, items()))


@BOTH
def test_an_error_with_its_own_constructor_survives_the_way_back(engine):
    with pytest.raises(MissingExtra, match=r"This needs the package pandas.*\n.*compersion-nlp\[tables\]"):
        list(engine.map(ask_for_pandas, [1]))


def test_a_dead_worker_gives_a_crash_for_its_item_and_not_a_wait():
    assert list(Joblib(1).map(die, range(2))) == [Crash(), Crash()]


def test_workers_compute_on_one_thread_each():
    assert list(Joblib(1).map(threads, [1])) == [("1", "1")]


def test_work_can_be_mapped_outside_the_main_thread():
    results = []
    thread = threading.Thread(target=lambda: results.extend(Joblib(1).map(double, [1, 2])))
    thread.start()
    thread.join()
    assert results == [2, 4]


def test_the_serial_engine_refuses_more_than_one_worker():
    with pytest.raises(BadConfig, match=r"one worker, and 4 were asked for.\nChoose the engine joblib"):
        Serial(4)


def test_the_joblib_engine_refuses_no_workers():
    with pytest.raises(BadConfig, match="0 workers"):
        Joblib(0)


def test_both_engines_are_registered():
    assert ENGINES.get("serial") is Serial
    assert ENGINES.get("joblib") is Joblib


def test_an_interrupt_of_the_whole_group_reaches_the_parent_alone():
    script = textwrap.dedent("""
        import time
        from compersion_nlp.engines import Joblib
        try:
            for result in Joblib(2).map(time.sleep, [0.01] * 100000):
                print("going", flush=True)
        except KeyboardInterrupt:
            print("stopped")
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert child.stdout.readline() == "going\n"
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert out.endswith("stopped\n")
    assert err == ""


def test_workers_do_not_outlive_a_parent_that_was_killed():
    script = textwrap.dedent("""
        import os, signal
        from compersion_nlp.engines import Joblib
        def pid(number):
            return os.getpid()
        for worker in Joblib(1).map(pid, range(10)):
            print(worker, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    worker = int(ended.stdout)
    for _ in range(50):
        if not is_alive(worker):
            return
        time.sleep(0.1)
    pytest.fail("the worker is still there")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
