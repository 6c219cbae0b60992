"""Ctrl-C and SIGTERM: one line, the status that shells expect, within seconds."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.engine import interruption

ROOT = Path(__file__).parents[3]


def interrupted(number=signal.SIGINT):
    os.kill(os.getpid(), number)
    time.sleep(10)
    pytest.fail("no signal came")


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_the_block_with_one_line(number, status, word, capsys):
    before = signal.getsignal(number)

    @interruption.told()
    def command():
        interruption.advise(lambda: "go on with --resume")
        interrupted(number)

    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == status
    assert capsys.readouterr().err == f"{word}: go on with --resume\n"
    assert signal.getsignal(number) is before


def test_an_error_that_a_signal_brings_about_is_no_error(capsys):
    @interruption.told()
    def command():
        try:
            interrupted()
        except KeyboardInterrupt:
            raise RuntimeError("a callback failed") from None

    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted: ")


def test_an_import_is_not_interrupted(tmp_path, monkeypatch, capsys):
    lines = "import os, time", "os.kill(os.getpid(), 2)", "time.sleep(0.1)", "whole = True"
    (tmp_path / "slowly_imported.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)

    @interruption.told()
    def command():
        import slowly_imported

        assert slowly_imported.whole
        time.sleep(10)
        pytest.fail("the signal is lost")

    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted: ")


class Swallowing:
    """Python ignores what a destructor raises."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)


def test_a_signal_that_a_destructor_swallows_is_not_lost(capsys):
    @interruption.told()
    def command():
        Swallowing()
        time.sleep(10)
        pytest.fail("the signal is lost")

    hook = sys.unraisablehook
    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("interrupted: ")
    assert sys.unraisablehook is hook


def test_a_block_without_a_signal_ends_as_ever():
    with interruption.told():
        pass
    with pytest.raises(ValueError, match="ours"), interruption.told():
        raise ValueError("ours")
    with pytest.raises(SystemExit) as end, interruption.told():
        sys.exit(2)
    assert end.value.code == 2


STARTING = """
import multiprocessing
from experiments.engine import interruption
from experiments.data.storage import worker

multiprocessing.context.ForkServerContext.set_forkserver_preload = (
    lambda context, modules: multiprocessing.forkserver.set_forkserver_preload(["long_imported"])
)
with interruption.told():
    print("ready", flush=True)
    worker.Mapped(abs, [1, 2], number=1, ahead=1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no fork server elsewhere")
def test_workers_that_are_being_started_hold_nothing_up(tmp_path):
    (tmp_path / "long_imported.py").write_text(f"import time\ntime.sleep({4 * interruption.GRACE})")
    with subprocess.Popen(
        [sys.executable, "-c", STARTING],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(1)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        assert time.monotonic() - start < interruption.GRACE
        said = process.stderr.read()
    assert process.returncode == 130
    assert said == "interrupted: the same command begins anew\n"


STUCK = """
import time
from experiments.engine import interruption

interruption.GRACE, interruption.TWICE = {grace}, 0.2
with interruption.told():
    print("ready", flush=True)
    while True:  # as a compilation, which does not see a signal
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
"""


@pytest.mark.parametrize(("grace", "signals"), [(0.3, 1), (60, 2)], ids=["late", "second signal"])
def test_what_does_not_end_is_ended(grace, signals):
    with subprocess.Popen(
        [sys.executable, "-c", STUCK.format(grace=grace)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip().splitlines() == ["interrupted: the same command begins anew"]
