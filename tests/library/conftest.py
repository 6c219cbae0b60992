"""A late-fusion problem in plain dicts, small enough to be compiled many times."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mmpareto_jax as mmp

pytest.register_assert_rewrite(
    "conflict", "convex", "integrating", "projections", "properties", "stepping"
)


class LateFusion:
    """Two encoders and three losses: each encoder has the joint loss and its own."""

    encoders: dict[str, mmp.Encoder]
    params: Any
    batch: Any
    losses: Callable[..., dict[str, jax.Array]]

    def __init__(self):
        normal = np.random.default_rng(0).standard_normal
        self.encoders = {
            "audio": mmp.Encoder(params="audio", objectives=("joint", "audio")),
            "visual": mmp.Encoder(params="visual", objectives=("joint", "visual")),
        }
        shapes = {
            "audio": {"w": (3, 4), "b": (4,)},
            "visual": {"w": (5, 4), "b": (4,)},
            "heads": {"joint": (8, 3), "audio": (4, 3), "visual": (4, 3)},
            "temperature": (),  # in no encoder, and trained by every loss
        }
        self.params = jax.tree.map(
            lambda shape: jnp.asarray(normal(shape), jnp.float32),
            shapes,
            is_leaf=lambda node: isinstance(node, tuple),
        )
        self.batch = {
            "audio": normal((16, 3)).astype(np.float32),
            "visual": normal((16, 5)).astype(np.float32),
            "label": np.arange(16) % 3,
        }

    def losses(self, params, batch):
        return self.losses_from_features(params, self.encode(params, batch), batch)

    def encode(self, params, batch):
        return {
            name: jnp.tanh(batch[name] @ params[name]["w"] + params[name]["b"][None])
            for name in ("audio", "visual")
        }

    def losses_from_features(self, params, features, batch):
        joint = jnp.concatenate([features["audio"], features["visual"]], axis=1)
        outputs = features | {"joint": joint}
        return {
            name: -jnp.mean(
                jnp.sum(
                    jax.nn.log_softmax(params["temperature"] * (outputs[name] @ head))
                    * jax.nn.one_hot(batch["label"], 3),
                    axis=1,
                )
            )
            for name, head in params["heads"].items()
        }

    @cached_property
    def grads(self):
        """The stacked gradients at `params`."""
        compute = mmp.value_and_objective_grads(self.losses, self.encoders)
        return jax.jit(compute)(self.params, self.batch)[1]


@pytest.fixture(scope="session")
def late_fusion():
    return LateFusion()
