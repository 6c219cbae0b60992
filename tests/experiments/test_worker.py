"""Workers of a killed process end by themselves."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

DECODING = """
import os, time
from test_worker import own_id
from experiments.data.decoding import in_order

if __name__ == "__main__":
    results = in_order(own_id, range(99), workers=2)
    print(*{next(results) for _ in range(50)}, flush=True)
    time.sleep(60)
"""

STREAMING = """
import time
import jax
from test_worker import own_ids
from experiments import devices, feeds
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
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
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
