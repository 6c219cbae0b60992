"""Workers and what kills them; those of a killed process end by themselves."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from experiments.data.storage.worker import Mapped, WorkerError
from experiments.errors import UserError

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

DECODING = """
import os, time
from test_worker import own_id
from experiments.data.media.decoding import in_order

if __name__ == "__main__":
    results = in_order(own_id, range(99), workers=2)
    print(*{next(results) for _ in range(50)}, flush=True)
    time.sleep(60)
"""

STREAMING = """
import time
import jax
from test_worker import own_ids
from experiments.engine import devices, feeds
from experiments.data import Samples

if __name__ == "__main__":
    samples = Samples(range(99), own_ids, own_ids)
    feed = feeds.build(
        {"train": samples, "test": samples}, 9, devices.make_mesh(), workers=2
    )
    batches = feed.training(jax.random.PRNGKey(0), range(10**6))
    print(*{int(next(batches)["id"][0]) for _ in range(5)}, flush=True)
    time.sleep(60)
"""


def own_id(item):
    return os.getpid()


def own_ids(example, rng=None):
    return {"id": np.int32(os.getpid())}


def is_running(process):
    try:
        state = Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # one that nobody has waited for yet


@pytest.mark.parametrize("script", [DECODING, STREAMING], ids=["decoding", "streaming"])
def test_workers_end_when_their_parent_is_killed(script):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[3])])}
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert workers
        assert all(is_running(worker) for worker in workers)
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while any(is_running(worker) for worker in workers) and time.monotonic() < end:
        time.sleep(0.05)
    left = [worker for worker in workers if is_running(worker)]
    for worker in left:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    assert not left


def mapped(function, items=range(9), number=2, ahead=2):
    # A function of a function is sent by value: the worker need not find this module.
    return closing(Mapped(function, items, number, ahead))


def processes(results):
    return [each.process.pid for each in results._workers]


def test_results_come_in_order_and_arrays_whole():
    def rows(item):
        import numpy as np

        return {"row": np.full((item, 3), item), "name": str(item), "none": np.zeros(0)}

    with mapped(rows, ahead=3) as results:
        for item, result in enumerate(results):
            np.testing.assert_array_equal(result["row"], np.full((item, 3), item))
            assert result["name"] == str(item)
            assert result["none"].shape == (0,)
        assert item == 8


def test_a_worker_that_is_killed_over_an_item_is_told_at_its_turn():
    def answer(item):
        import os

        return item if item != 3 else os.kill(os.getpid(), 9)

    with mapped(answer, ahead=1) as results:
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(UserError, match=r"was killed \(SIGKILL\).*fewer --workers"):
            next(results)


def test_a_worker_that_is_killed_while_it_sends_is_told():
    def large(item):
        return bytes(10**8)

    with mapped(large, number=1) as results:
        assert results._workers[0]._connection.poll(30)  # it has begun to send
        os.kill(*processes(results), signal.SIGKILL)
        with pytest.raises(WorkerError, match="SIGKILL"):
            next(results)


def test_a_worker_that_ends_by_itself_is_told():
    def end(item):
        import os

        os._exit(3)

    with mapped(end) as results, pytest.raises(WorkerError, match="status 3"):
        next(results)


def test_what_a_worker_raises_is_raised():
    def fail(item):
        if item == 0:
            raise ValueError("bad item")
        if item == 1:
            raise MemoryError
        return lambda: item  # cannot be sent

    with mapped(fail, items=[0]) as results, pytest.raises(ValueError, match="bad item") as error:
        next(results)
    assert "In a worker process" in error.value.__notes__[0]
    with mapped(fail, items=[1]) as results, pytest.raises(WorkerError, match="no memory left"):
        next(results)
    with mapped(fail, items=[2]) as results, pytest.raises(RuntimeError, match="lambda"):
        next(results)


def test_a_worker_that_is_stopped_is_told(monkeypatch):
    monkeypatch.setattr("experiments.data.storage.worker.PATIENCE", 1)
    with mapped(abs, number=1) as results:
        (process,) = processes(results)
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(WorkerError, match=f"worker process {process} has given no result"):
            list(results)
    assert not is_running(process)


def test_workers_leave_ctrl_c_to_their_parent(capfd):
    with mapped(abs, items=range(99)) as results:
        for item in range(99):
            for process in processes(results):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGINT)  # as they start and later
            assert next(results) == item
    assert capfd.readouterr().err == ""
