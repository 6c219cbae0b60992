"""One joint loss: plain multimodal training."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.errors import UserError
from experiments.methods._method import Method


def joint(config: Config) -> Method:
    """Trains on the multimodal loss alone; the unimodal heads stay as they were initialised."""
    del config
    return Method(
        objectives=lambda forward, state: ({"joint": forward.losses["joint"]}, ()),
        encoder_objectives=_joint_alone,
        aggregator=lambda encoders, problem: mmp.aggregate(mmp.weightings.uniform(), encoders),
        trained_heads=_joint_alone,
    )


def _joint_alone(heads: tuple[str, ...]) -> tuple[str, ...]:
    if "joint" not in heads:
        raise UserError(
            "method joint trains on the loss of all modalities together, and this data set has "
            f"{' and '.join(heads)} alone: choose another method"
        )
    return ("joint",)
