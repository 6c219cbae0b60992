"""Checkpoints: what a killed run resumes from."""

from pathlib import Path
from types import TracebackType

import orbax.checkpoint as ocp
from absl import logging

from experiments.config import Config, differences
from experiments.errors import UserError
from experiments.program import TrainState


class Checkpoints:
    """The checkpoints of one run: state (parameters, optimiser, data position, key) and config.

    A checkpoint is written beside its place and renamed when whole, so a kill leaves the previous
    one. The last two are kept. Use as a context manager: leaving it waits for pending writes.

    Args:
      run_dir: Folder of the run; checkpoints go to ``run_dir/checkpoints``.

    Raises:
      UserError: If the folder cannot be written.
    """

    def __init__(self, run_dir: Path) -> None:
        self.folder = run_dir.absolute() / "checkpoints"
        logging.set_verbosity(logging.ERROR)  # orbax reports every save at lower levels
        try:
            self._manager = ocp.CheckpointManager(
                self.folder,
                item_names=("state", "config"),
                options=ocp.CheckpointManagerOptions(max_to_keep=2, create=True),
            )
        except OSError as error:
            raise UserError(
                f"cannot write to {run_dir} ({error.strerror}): pass another --run-dir"
            ) from error

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._manager.close()

    def exist(self) -> bool:
        """Whether there is a whole checkpoint."""
        return self._manager.latest_step() is not None

    def save(self, state: TrainState, config: Config) -> None:
        """Saves a state, in the background, under its step."""
        self._manager.save(
            int(state.step),
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state), config=ocp.args.JsonSave(config.to_json())
            ),
        )

    def config(self) -> Config:
        """The configuration of the latest checkpoint.

        Raises:
          UserError: If there is no checkpoint, or it cannot be read.
        """
        restored = self._restore(ocp.args.Composite(config=ocp.args.JsonRestore()))
        return Config.from_json(restored["config"])

    def restore(self, template: TrainState, config: Config) -> TrainState:
        """The latest state.

        Args:
          template: A state of the same shapes, placed as the restored one is to be.
          config: The configuration of the run that goes on.

        Raises:
          UserError: If there is no checkpoint, it cannot be read, or it is of a run with another
            configuration (the number of epochs may change).
        """
        if different := differences(self.config(), config):
            raise UserError(
                f"the checkpoint in {self.folder.parent} is of another configuration: "
                f"{'; '.join(different)}: pass the same, or another --run-dir"
            )
        restored = self._restore(ocp.args.Composite(state=ocp.args.StandardRestore(template)))
        return restored["state"]

    def _restore(self, args: ocp.args.Composite) -> ocp.args.Composite:
        step = self._manager.latest_step()
        if step is None:
            raise UserError(f"no checkpoint in {self.folder.parent}: train there, without --resume")
        try:
            return self._manager.restore(step, args=args)
        except (ValueError, KeyError, OSError) as error:
            raise UserError(
                f"cannot read checkpoint {self.folder / str(step)}: remove that folder to go on "
                "from the one before"
            ) from error
