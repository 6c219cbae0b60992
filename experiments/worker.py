"""A process that works for another one."""

import multiprocessing
import os
import threading
from typing import Any


def end_with_parent(*_: Any) -> None:
    """Makes this process end when its parent is gone.

    A parent that is killed tells nobody, and a worker that waits for work or for room would wait
    for ever.

    Args:
      *_: What a pool tells its workers, which is of no use here.
    """

    def wait(parent: Any) -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, args=[multiprocessing.parent_process()], daemon=True).start()
