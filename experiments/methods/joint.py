"""One joint loss: plain multimodal training."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method


def joint(config: Config) -> Method:
    """Trains on the multimodal loss alone; the unimodal heads stay as they were initialised."""
    del config
    return Method(
        objectives=lambda losses: {"joint": losses["joint"]},
        encoder_objectives=lambda modality: ("joint",),
        aggregator=lambda encoders, steps_per_epoch: mmp.aggregate(
            mmp.weightings.uniform(), encoders
        ),
        trained_heads=lambda modalities: ("joint",),
    )
