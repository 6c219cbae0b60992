"""The forward pass of a run's model, as a pure function of its parameters."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from experiments import models
from experiments.config import Config
from experiments.data import Batch, DataSet
from experiments.methods import Pass
from experiments.models.network import Network


class Forward:
    """The model of a run as pure functions: passes over batches, in training and evaluation mode.

    Args:
      config: The configuration of the run.
      dataset: The data set of the run.
      shapes: The shape of one sample's input, by modality.

    Attributes:
      outputs: The number of outputs, by head.
      features: The shape of one sample's representation, by encoder.
      abstract: The parameters and the batch statistics as trees of ``jax.ShapeDtypeStruct``.

    Raises:
      UserError: If the model is unknown or does not fit the data set.
    """

    def __init__(
        self, config: Config, dataset: DataSet, shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        self._config = config
        self._dataset = dataset
        self._shapes = {name: shapes[name] for name in dataset.modalities}
        self.outputs = {head: task.num_outputs for head, task in dataset.heads.items()}
        # Only the structure is needed here, so no parameters are computed.
        from_scratch = dataclasses.replace(config, weights=None)
        abstract = nnx.eval_shape(
            lambda: models.build(from_scratch, self._shapes, self.outputs, config.seed)
        )
        abstract.train()
        self._training = nnx.graphdef(abstract)
        abstract.eval()
        self._evaluation = nnx.graphdef(abstract)
        self.abstract = _variables(abstract)
        one = {name: jnp.zeros((1, *shape)) for name, shape in self._shapes.items()}
        representations = jax.eval_shape(
            lambda variables: nnx.merge(self._evaluation, *variables).encode(one), self.abstract
        )
        self.features = {name: array.shape[1:] for name, array in representations.items()}

    def initial(self, seed: int) -> tuple[Any, Any]:
        """Return the parameters and the batch statistics before the first step.

        Args:
          seed: The seed of the parameters that are not pretrained.

        Returns:
          Two nested dicts of arrays.
        """
        return _variables(models.build(self._config, self._shapes, self.outputs, seed))

    def train(
        self, params: Any, batch_stats: Any, batch: Batch, key: jax.Array
    ) -> tuple[Pass, Any]:
        """Run the model on a batch in training mode.

        Args:
          params: The parameters.
          batch_stats: The batch statistics before the pass.
          batch: The batch.
          key: The random key of dropout.

        Returns:
          The pass, and the batch statistics after it.
        """
        model = nnx.merge(self._training, params, batch_stats)
        forward = self._run(model, batch, nnx.Rngs(dropout=key))
        return forward, _variables(model)[1]

    def evaluate(self, params: Any, batch_stats: Any, batch: Batch) -> Pass:
        """Run the model on a batch in evaluation mode: no dropout, fixed batch statistics.

        Args:
          params: The parameters.
          batch_stats: The batch statistics, which do not change.
          batch: The batch.
        """
        return self._run(nnx.merge(self._evaluation, params, batch_stats), batch)

    def _run(self, model: Network, batch: Batch, rngs: nnx.Rngs | None = None) -> Pass:
        representations = model.encode(self._dataset.inputs(batch), rngs=rngs)
        predictions = model.classify(representations, rngs=rngs)
        losses = {
            head: task.loss(predictions[head], batch[task.target])
            for head, task in self._dataset.heads.items()
        }
        return Pass(batch, representations, predictions, losses, model.classify)


def _variables(model: nnx.Module) -> tuple[Any, Any]:
    """Return the parameters and the batch statistics of a model, each a nested dict of arrays."""
    params, batch_stats = nnx.state(model, nnx.Param), nnx.state(model, nnx.BatchStat)
    return nnx.to_pure_dict(params), nnx.to_pure_dict(batch_stats)
