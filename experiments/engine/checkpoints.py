"""Checkpoints, from which a run resumes after it was killed."""

import gc
import logging
import re
import shutil
import sys
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import absl.logging
import jax
import orbax.checkpoint as ocp

from experiments.config import Config, differences
from experiments.engine.state import TrainState
from experiments.errors import BreakError, UserError, of_system, quoted

PARTIAL = ".orbax-checkpoint-tmp"
"""The ending of the name of a checkpoint that is being written."""

UNFIT = re.compile(r"[\[\\]|:/")
"""Characters in the name of a folder that Orbax misreads."""


class Checkpoints:
    """The checkpoints of one run, each with the state and the configuration.

    The state has the parameters, the optimizer's state, the position in the data and the random
    key. A checkpoint is written under a temporary name and renamed when it is complete, so a kill
    leaves the previous one. The last two are kept. Use it as a context manager: leaving it waits
    for pending writes, and removes the folder if it is empty.

    Args:
      run_dir: The folder of the run; checkpoints go to ``run_dir/checkpoints``.
      read_only: Whether to leave the folder unchanged, since another process may be writing to it.

    Raises:
      UserError: If the folder cannot be written.
    """

    def __init__(self, run_dir: Path, read_only: bool = False) -> None:
        self.folder = run_dir.absolute() / "checkpoints"
        self._read_only = read_only
        if UNFIT.search(str(self.folder)):
            raise UserError(
                f"{run_dir} cannot hold checkpoints: Orbax misreads names of folders with [ or "
                "\\ in them or : at the end; name another --run-dir"
            )
        # Orbax logs every save, and for a damaged checkpoint more than the error message.
        absl.logging.set_verbosity(absl.logging.FATAL)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        try:
            self._manager = ocp.CheckpointManager(
                self.folder,
                item_handlers={
                    "state": ocp.StandardCheckpointHandler(),
                    "config": ocp.JsonCheckpointHandler(),
                },
                options=ocp.CheckpointManagerOptions(
                    max_to_keep=None if read_only else 2,
                    save_interval_steps=0 if read_only else 1,
                    create=not read_only,
                    cleanup_tmp_directories=not read_only,
                    read_only=read_only,
                ),
            )
        except OSError as error:
            raise of_system(error, f"cannot write to {run_dir}") from error

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error: object) -> None:
        try:
            with self._written():
                self._manager.close()
        finally:
            if not self._read_only:
                with suppress(OSError):
                    self.folder.rmdir()  # if it is empty

    def exist(self) -> bool:
        """Return whether the folder of the run has a complete checkpoint."""
        return self._manager.latest_step() is not None

    def save(self, state: TrainState, config: Config) -> None:
        """Save a state in the background; its checkpoint is named by its step.

        Args:
          state: The state.
          config: The configuration of the run.

        Raises:
          UserError: If this checkpoint or the previous one cannot be written.
        """
        with self._written():
            self._manager.save(
                int(state.step),
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state), config=ocp.args.JsonSave(config.to_json())
                ),
            )

    def config(self) -> Config:
        """Return the configuration of the latest checkpoint.

        Raises:
          UserError: If there is no checkpoint, or it cannot be read.
        """
        restored = self._restore("config", ocp.args.JsonRestore())
        try:
            return Config.from_json(restored)
        except UserError as error:
            raise UserError(
                f"cannot use the configuration of checkpoint {self._latest()} ({error}): another "
                "version of this program wrote it; continue with that version, or train anew in "
                "another --run-dir"
            ) from error

    def restore(self, template: TrainState, config: Config) -> TrainState:
        """Return the latest state.

        Args:
          template: A state with the same shapes, placed on the devices as the restored one is to
            be.
          config: The configuration of the run that continues.

        Raises:
          UserError: If there is no checkpoint; if it cannot be read; if it belongs to a run with
            another configuration (except for the number of epochs) or with another network.
        """
        if different := differences(self.config(), config):
            raise UserError(
                f"the checkpoint in {self.folder.parent} has another configuration: "
                f"{'; '.join(different)}: pass the same, or another --run-dir"
            )
        if other := self._other_shapes(template):
            raise UserError(
                f"the checkpoint in {self.folder.parent} has another network or other data: "
                f"{other}: use the data that it was trained with, or another --run-dir"
            )
        return self._restore("state", ocp.args.StandardRestore(template))

    def _latest(self) -> Path:
        """Return the folder of the latest checkpoint, whose name is its step.

        Raises:
          UserError: If there is no checkpoint.
        """
        step = self._manager.latest_step()
        if step is None:
            raise UserError(f"no checkpoint in {self.folder.parent}: train there, without --resume")
        return self.folder / str(step)

    def _other_shapes(self, template: TrainState) -> str:
        """Describe the first array whose shape in the latest state differs from the template's.

        Returns "" if there is none.
        """
        try:
            saved = _shapes(self._manager.item_metadata(int(self._latest().name))["state"].tree)
        except Exception:  # it is damaged; reading it raises a better error
            return ""
        ours = _shapes(template)
        for name in {**ours, **saved}:
            if ours.get(name) != saved.get(name):
                return f"{name} is {saved.get(name, 'absent')} (here {ours.get(name, 'absent')})"
        return ""

    def _restore(self, item: str, args: Any) -> Any:
        latest = self._latest()
        composite = ocp.args.Composite(**{item: args})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about coroutines that are not awaited after an error
            try:
                return self._manager.restore(int(latest.name), args=composite)[item]
            except Exception as error:  # the type depends on which byte is damaged
                reason = _reason(error)
            _silence_late_reads()
            gc.collect()
        others = len(self._manager.all_steps()) > 1
        raise UserError(
            f"cannot read checkpoint {latest} ({reason}): remove that folder "
            f"{'to go on from the one before' if others else 'and train anew'}"
        )

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Turn errors of writing a checkpoint into a :class:`UserError`; remove partial ones."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            for partial in self.folder.glob(f"*{PARTIAL}"):
                shutil.rmtree(partial, ignore_errors=True)
            what = f"cannot write a checkpoint to {self.folder}"
            if of_the_system := error if isinstance(error, OSError) else quoted(error):
                raise of_system(of_the_system, what) from error
            raise BreakError(f"{what}: {_reason(error)}") from error


def _silence_late_reads() -> None:
    """Hide the errors of background reads that end after the error was raised."""
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            before(unraisable)

    sys.unraisablehook = hook


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of a tree, by path as in "params/encoders/gray"."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in leaves
    }


def _reason(error: Exception) -> str:
    """Return the text of an error, cut to 100 characters, since those of Orbax can fill pages."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if of_the_system := quoted(error):
        return str(of_the_system.strerror)
    text = " ".join(str(error).split())
    return textwrap.shorten(text, 100, placeholder=" ...") or type(error).__name__
