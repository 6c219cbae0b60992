"""The network of the benchmarks: ResNet-18 on sound and on video, with late fusion."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.typing import DTypeLike

import mmpareto_jax as mmp
from experiments.models.late_fusion import LateFusion
from experiments.models.resnet18 import ResNet18

CHANNELS = {"audio": 1, "video": 3}
NUM_CLASSES = 6
ENCODERS = {
    name: mmp.Encoder(params=f"encoders/{name}", objectives=("joint", name)) for name in CHANNELS
}


class Problem(NamedTuple):
    """The network of this module: its variables, a batch, and pure functions of losses.

    Attributes:
      params: The parameters, a dict.
      statistics: The running means and variances of batch normalization, a dict.
      batch: A dict of "inputs", by modality, and "labels", ``[B]`` int32.
      graph: The structure of the network, from ``nnx.split``.
    """

    params: Any
    statistics: Any
    batch: Any
    graph: Any

    def losses(self, params: Any, statistics: Any, batch: Any) -> Any:
        """Return the losses by head ("joint", "audio", "video"), and the new batch statistics."""
        model = nnx.merge(self.graph, params, statistics)
        return _cross_entropies(model(batch["inputs"]), batch), _statistics(model)

    def encode(self, params: Any, statistics: Any, batch: Any) -> dict[str, Any]:
        """Return representations ``[B, features]`` by modality, with the new "statistics"."""
        model = nnx.merge(self.graph, params, statistics)
        return {**model.encode(batch["inputs"]), "statistics": _statistics(model)}

    def losses_from_features(
        self, params: Any, features: Any, statistics: Any, batch: Any
    ) -> tuple[Any, Any]:
        """Return the losses by head from what :meth:`encode` returned, and its new statistics."""
        model = nnx.merge(self.graph, params, statistics)
        representations = {name: features[name] for name in CHANNELS}
        losses = _cross_entropies(model.classify(representations), batch)
        return losses, features["statistics"]


def problem(
    shapes: dict[str, tuple[int, ...]],
    dtype: DTypeLike = jnp.float32,
    axis_name: str | None = None,
    encoder: Any = ResNet18,
) -> Problem:
    """Return the network and a batch of random inputs.

    Args:
      shapes: Shape of a batch of each modality: sound ``[B, H, W, 1]``, video ``[B, T, H, W, 3]``.
      dtype: Dtype of the inputs, and so of the activations.
      axis_name: Mapped axis over which batch statistics are averaged; by default, they are those of
        the batch that the function sees.
      encoder: Class of the encoders, ResNet-18 by default.
    """
    rngs = nnx.Rngs(0)
    encoders = {
        name: encoder(channels, rngs=rngs, axis_name=axis_name)
        for name, channels in CHANNELS.items()
    }
    outputs = dict.fromkeys(["joint", *CHANNELS], NUM_CLASSES)
    model = LateFusion(encoders, encoder.features, outputs, rngs=rngs)
    graph, params, statistics = nnx.split(  # type: ignore[misc]
        model, nnx.Param, nnx.BatchStat
    )
    keys = iter(jax.random.split(jax.random.key(0), len(shapes) + 1))
    inputs = {name: jax.random.normal(next(keys), shape, dtype) for name, shape in shapes.items()}
    labels = jax.random.randint(next(keys), (shapes["audio"][0],), 0, NUM_CLASSES)
    return Problem(
        nnx.to_pure_dict(params),
        nnx.to_pure_dict(statistics),
        {"inputs": inputs, "labels": labels},
        graph,
    )


def _cross_entropies(logits: dict[str, jax.Array], batch: Any) -> dict[str, jax.Array]:
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels
    return {name: jnp.mean(cross_entropy(x, batch["labels"])) for name, x in logits.items()}


def _statistics(model: nnx.Module) -> Any:
    return nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
