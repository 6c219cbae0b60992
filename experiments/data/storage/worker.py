"""Worker processes that map a function over items, ahead of use and in order."""

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
"""Seconds to wait for a result before a worker counts as stuck."""


class WorkerError(BreakError):
    """The error of a worker process that was killed, lacks memory, cannot start or is stuck."""


def end_with_parent(*_: Any) -> None:
    """Make this process end when its parent has ended, and ignore Ctrl-C.

    A parent that is killed sends no message, so a worker that waits for work or for space would
    wait for ever. A terminal sends Ctrl-C to all processes of a command; only the parent reacts.

    Args:
      *_: Arguments that a pool passes to its workers; they are ignored.
    """

    def wait(parent: Any) -> None:
        parent.join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait, args=[multiprocessing.parent_process()], daemon=True).start()


@contextmanager
def deaf() -> Iterator[None]:
    """Block Ctrl-C for processes that this thread starts, until they ignore it themselves.

    A process inherits the blocked signals of the thread that starts it.
    """
    resource_tracker.ensure_running()  # else the first process starts it, which unblocks the signal
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


class Mapped(Iterator[Result], Generic[Item, Result]):
    """An iterator over the results of a function for some items, computed by worker processes.

    Results come in the order of the items. Each process shares only a connection with this one, so
    a process that the system kills when memory runs out is noticed at once and does not block the
    others. The processes ignore Ctrl-C, and end with this process even if it is killed.

    Args:
      function: The function; cloudpickle sends it once to each process.
      items: The items, small and picklable.
      number: Number of processes; at least one.
      ahead: Number of results of each process that may be waiting or in progress.

    Examples:
      >>> squares = Mapped(abs, [-1, 2, -3], number=2, ahead=1)
      >>> list(squares)
      [1, 2, 3]
    """

    def __init__(
        self, function: Callable[[Item], Result], items: Iterable[Item], number: int, ahead: int
    ) -> None:
        import cloudpickle  # the mapped function may be defined in another function

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
        """The workers in the order in which they give the next results."""
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
        """Raise a ``WorkerError`` if any process was killed, even if its result is not due yet."""
        for worker in self._workers:
            if wait([worker.process.sentinel], timeout=0) and not self._closed:
                raise worker.death()

    def close(self) -> None:
        """End the processes, even while another thread waits for a result."""
        self._closed = True
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()

    def _ask(self, worker: "_Worker", item: Item) -> None:
        worker.ask(item)
        self._turns.append(worker)


class _Worker:
    """One worker process of :class:`Mapped`, and the connection to it."""

    def __init__(self, payload: bytes) -> None:
        context = _context()
        self._connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(payload, theirs), daemon=True)
        started: Future[None] = Future()

        def start() -> None:
            try:
                with theirs, deaf():  # only the process keeps that end, so its death closes it
                    self.process.start()
            except BaseException as error:
                started.set_exception(error)
            else:
                started.set_result(None)

        # In another thread, so that Ctrl-C still reaches this one until the server is ready.
        threading.Thread(target=start, daemon=True).start()
        started.result()

    def ask(self, item: Any) -> None:
        with suppress(OSError):  # answer() reports it
            self._connection.send(item)

    def answer(self) -> tuple[bool, Any]:
        # In short waits, so that the time in which the whole command is stopped does not count.
        for _ in range(PATIENCE):
            if self._connection.poll(1):
                break
        else:
            raise WorkerError(
                f"worker process {self.process.pid} has given no result for {PATIENCE // 60} "
                "minutes: check whether it is stopped or waits for a disk"
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
    """Return a context that starts processes which share nothing with this one.

    A fork of this process would inherit locks that JAX's threads hold.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    # A server that has imported the workers' modules starts them in a hundredth of the time.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["__main__", "experiments.data", "experiments.engine.feeds.streamed"]
    )
    with deaf():
        forkserver.ensure_running()
    return context


def _work(payload: bytes, connection: Connection) -> None:
    """Apply the pickled function to each item that the parent process sends; runs in a worker.

    Sends back ``(True, result)`` for each item, or ``(False, error)`` if the function raised one,
    in the order of the items. Ends when the parent closes the connection.

    Args:
      payload: The pickled function.
      connection: The connection to the parent process.
    """
    end_with_parent()
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def send() -> None:
        while True:
            try:
                _send(connection, *answers.get())
            except OSError:  # the parent has closed the connection
                os._exit(0)

    threading.Thread(target=send, daemon=True).start()  # so that the next result is made meanwhile
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
    """Send an answer, with its arrays separately, so that they are not copied into the message.

    A result or an error that cannot be pickled is replaced by a RuntimeError with its text.

    Args:
      connection: The connection to the parent process.
      ok: Whether the result is one; otherwise it is an error.
      result: The result of an item, or the error of the function.
    """
    arrays: list[pickle.PickleBuffer] = []
    try:
        message = pickle.dumps((ok, result), protocol=5, buffer_callback=arrays.append)
        if not ok:
            pickle.loads(message)  # some errors cannot be unpickled
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
