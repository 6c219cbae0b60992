import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.data.clips import Clip, ClipError
from experiments.data.decoding import WINDOW, attempt, in_order
from experiments.errors import UserError


def late(seconds):
    time.sleep(seconds)
    return seconds


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_the_order_of_the_items(workers):
    seconds = [0.2, 0.0, 0.1, 0.0]
    assert list(in_order(late, seconds, workers)) == seconds


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_gives_nothing(workers):
    assert list(in_order(abs, [], workers)) == []


@pytest.mark.parametrize(("workers", "most"), [(0, 1), (2, 2 * WINDOW)])
def test_items_are_taken_as_results_are(workers, most):
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(abs, items(), workers)
    for count in range(1, 4):
        next(results)
        assert len(taken) < most + count
    results.close()
    assert len(taken) < 100


@pytest.mark.parametrize("workers", [0, 1])
def test_an_exception_is_raised_at_its_turn(workers):
    results = in_order(int, ["1", "two", "3"], workers)
    assert next(results) == 1
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_a_killed_worker_is_an_error_not_a_hang():
    with pytest.raises(UserError, match="fewer workers"):
        list(in_order(os._exit, [1] * 20, workers=1))


def own_id(item):
    return os.getpid()


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # One that nobody has waited for yet does nothing any more.
    return Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_end_when_their_parent_is_killed():
    script = (
        "import time, test_data_decoding as test\n"
        "if __name__ == '__main__':\n"
        "    results = test.in_order(test.own_id, range(99), workers=2)\n"
        "    print(*{next(results) for _ in range(50)}, flush=True)\n"
        "    time.sleep(60)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[3])])
    environment = {**os.environ, "PYTHONPATH": path}
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
    assert not any(is_running(worker) for worker in workers)


def test_an_unusable_clip_is_a_value():
    def decode(clip):
        raise ClipError(f"without {clip.label}")

    clip = Clip("a", "audio", Path("a.wav"), Path("a.flv"))
    assert str(attempt(decode, clip)) == "without audio"
    assert attempt(lambda clip: clip.name, clip) == "a"


def test_other_errors_of_a_clip_are_errors():
    with pytest.raises(TypeError):
        attempt(len, Clip("a", "audio", Path("a.wav"), Path("a.flv")))
