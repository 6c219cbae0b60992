"""Processes that work for this one: a function mapped over items, ahead of use and in order."""

import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from experiments.errors import BreakError

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 600
"""Seconds for which a result may keep the reader waiting."""


class WorkerError(BreakError):
    """A worker process that was killed, or that does not answer."""


def end_with_parent(*_: Any) -> None:
    """Make this process end when its parent is gone, and leave Ctrl-C to the parent.

    A parent that is killed tells nobody, and a worker that waits for work or for room would wait
    for ever. A terminal sends Ctrl-C to all processes of a command.

    Args:
      *_: What a pool tells its workers, which is of no use here.
    """

    def wait(parent: Any) -> None:
        parent.join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait, args=[multiprocessing.parent_process()], daemon=True).start()


@contextmanager
def deaf() -> Iterator[None]:
    """Keep Ctrl-C from processes that this thread starts, until they leave it to their parent.

    A process inherits what is blocked where it is started.
    """
    resource_tracker.ensure_running()  # it would be started with the first process, and unblock
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


class Mapped(Iterator[Result], Generic[Item, Result]):
    """The results of a function for each of some items, made by processes and given in order.

    The processes share nothing but a connection each, so that the death of one, which the system
    brings about when memory runs out, shows at once and holds up nobody. They leave Ctrl-C to this
    process, and end with it, even if it is killed.

    Args:
      function: What to map; cloudpickle sends it, once, to each process.
      items: Small and picklable.
      number: How many processes; at least one.
      ahead: How many results may wait in each process, or be under way.

    Example:
      >>> squares = Mapped(abs, [-1, 2, -3], number=2, ahead=1)
      >>> list(squares)
      [1, 2, 3]
    """

    def __init__(
        self, function: Callable[[Item], Result], items: Iterable[Item], number: int, ahead: int
    ) -> None:
        import cloudpickle  # what is mapped may be defined in a function

        self._items = iter(items)
        self._closed = False
        first = list(islice(self._items, number * ahead))
        payload = cloudpickle.dumps(function)
        self._workers: list[_Worker] = []
        try:
            for _ in range(min(number, len(first))):
                self._workers.append(_Worker(payload))
        except BaseException as error:
            self.close()
            if not isinstance(error, OSError):
                raise
            raise WorkerError(
                f"cannot start {number} worker processes ({error.strerror}): use fewer --workers"
            ) from error
        self._turns: deque[_Worker] = deque()
        """Whose results come next."""
        for index, item in enumerate(first):
            self._ask(self._workers[index % len(self._workers)], item)

    def __next__(self) -> Result:
        """Return the next result.

        Raises:
          WorkerError: If a process was killed or has not answered for ten minutes.
        """
        if not self._turns:
            self.close()
        if self._closed:
            raise StopIteration
        worker = self._turns.popleft()
        ok, result = worker.answer()
        if not ok:
            raise result
        for item in islice(self._items, 1):
            self._ask(worker, item)
        return result

    def check(self) -> None:
        """Check that all processes are there, whosever result comes next.

        Raises:
          WorkerError: If one was killed.
        """
        for worker in self._workers:
            if wait([worker.process.sentinel], timeout=0) and not self._closed:
                raise worker.death()

    def close(self) -> None:
        """End the processes, also while another thread waits for a result."""
        self._closed = True
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()

    def _ask(self, worker: "_Worker", item: Item) -> None:
        worker.ask(item)
        self._turns.append(worker)


class _Worker:
    """One process, and the connection to it."""

    def __init__(self, payload: bytes) -> None:
        context = _context()
        self._connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(payload, theirs), daemon=True)
        started: Future[None] = Future()

        def start() -> None:
            try:
                with theirs, deaf():  # only the process has that end now: its death closes it
                    self.process.start()
            except BaseException as error:
                started.set_exception(error)
            else:
                started.set_result(None)

        # In another thread, so that Ctrl-C reaches this one while the server is not yet ready.
        threading.Thread(target=start, daemon=True).start()
        started.result()

    def ask(self, item: Any) -> None:
        with suppress(OSError):  # the answer will tell
            self._connection.send(item)

    def answer(self) -> tuple[bool, Any]:
        # In parts, so that the time in which the whole command is stopped does not count.
        for _ in range(PATIENCE):
            if self._connection.poll(1):
                break
        else:
            raise WorkerError(
                f"worker process {self.process.pid} has given nothing for {PATIENCE // 60} "
                "minutes: see whether it is stopped, or waits for a disk"
            )
        try:
            return _received(self._connection)
        except (EOFError, OSError):
            raise self.death() from None

    def death(self) -> WorkerError:
        self.process.join()
        exit_code = self.process.exitcode
        if exit_code is None or exit_code >= 0:
            return WorkerError(
                f"a worker process ended with status {exit_code}: use --workers 0 to see why"
            )
        return WorkerError(
            f"a worker process was killed ({signal.Signals(-exit_code).name}), which the system "
            "does when memory runs out: use fewer --workers"
        )


def _context() -> Any:
    """Where processes come from that share nothing with this one.

    A fork of it would inherit locks that JAX's threads hold.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    # A server that has imported what workers need makes them in a hundredth of the time.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["__main__", "experiments.data", "experiments.engine.feeds.streamed"]
    )
    with deaf():
        forkserver.ensure_running()
    return context


def _work(payload: bytes, connection: Connection) -> None:
    """Answer each item with whether the function gave a result, and with that result."""
    end_with_parent()
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def send() -> None:
        while True:
            try:
                _send(connection, *answers.get())
            except OSError:  # nobody wants it any more
                os._exit(0)

    threading.Thread(target=send, daemon=True).start()  # the next result is made meanwhile
    function: Callable[[Any], Any] | None = None
    while True:
        try:
            item = connection.recv()
        except (EOFError, OSError):
            os._exit(0)
        try:
            function = function or pickle.loads(payload)
            answers.put((True, function(item)))
        except MemoryError:
            reason = "a worker process has no memory left: use fewer --workers"
            answers.put((False, WorkerError(reason)))
        except Exception as error:
            error.add_note(f"In a worker process:\n{traceback.format_exc()}")
            answers.put((False, error))


def _send(connection: Connection, ok: bool, result: Any) -> None:
    """Send an answer, with its arrays apart: they are not copied into the message."""
    arrays: list[pickle.PickleBuffer] = []
    try:
        message = pickle.dumps((ok, result), protocol=5, buffer_callback=arrays.append)
        if not ok:
            pickle.loads(message)  # some errors cannot be made again
    except Exception as error:
        arrays = []
        problem = RuntimeError(repr(error if ok else result))
        message = pickle.dumps((False, problem))
    connection.send_bytes(len(arrays).to_bytes(4, "little"))
    connection.send_bytes(message)
    for array in arrays:
        connection.send_bytes(array.raw())


def _received(connection: Connection) -> tuple[bool, Any]:
    number = int.from_bytes(connection.recv_bytes(), "little")
    message = connection.recv_bytes()
    arrays = [connection.recv_bytes() for _ in range(number)]
    return pickle.loads(message, buffers=arrays)
