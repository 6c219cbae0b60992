"""One joint loss: plain multimodal training."""

from collections.abc import Callable

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.errors import NotApplicableError
from experiments.methods._method import Method


def joint(config: Config) -> Method:
    """Train on the multimodal loss alone; the unimodal heads are not trained.

    Args:
      config: The configuration, of which the name of the method is used, in messages.

    Raises:
      UserError: From the method's functions, if the data set has no joint head.
    """
    joint_alone = _joint_alone(config.method)
    return Method(
        objectives=lambda forward, state: ({"joint": forward.losses["joint"]}, ()),
        encoder_objectives=joint_alone,
        aggregator=lambda encoders, problem: mmp.aggregate(mmp.weightings.uniform(), encoders),
        trained_heads=joint_alone,
    )


def _joint_alone(method: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def heads_of(heads: tuple[str, ...]) -> tuple[str, ...]:
        if "joint" not in heads:
            raise NotApplicableError(
                f"method {method} trains on the loss of all modalities together, and this data set "
                f"has only {' and '.join(heads)}: choose another method"
            )
        return ("joint",)

    return heads_of
