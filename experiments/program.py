"""The compiled program of a run: one pure step over a Flax NNX model, on a mesh of devices."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh

import mmpareto_jax as mmp
from experiments import devices, feeds, methods, models
from experiments.config import Config
from experiments.data import DATASETS, Splits
from experiments.feeds import Batch, Feed
from experiments.methods import Losses
from experiments.tasks import Task
from mmpareto_jax import Encoder

DROPOUT = 1
"""Sets the keys of dropout apart from those of the order of the samples."""

RUN_AHEAD = 3
"""Calls that may wait for the devices, the running one included.

A few in the queue keep the devices busy. Many do no good, hold their batches in memory, and on the
virtual devices of a CPU can wait for each other for ever.
"""


class TrainState(NamedTuple):
    """Everything that a step changes or depends on; all of it goes into a checkpoint."""

    step: jax.Array  # () int32, steps taken, and with them the position in the data
    key: jax.Array  # [2] uint32, from which the order of the samples and dropout are drawn
    params: Any
    batch_stats: Any
    opt_state: optax.OptState


class Program(NamedTuple):
    """The data and the compiled functions of one run."""

    feed: Feed
    tasks: Mapping[str, Task]
    """Of the heads that the method trains."""
    initial_state: Callable[[int], TrainState]
    """From a seed to the state before the first step."""
    step: Callable[[TrainState, Batch], tuple[TrainState, dict[str, Any]]]
    """From a state and a batch to the next state and metrics; consumes the state."""
    sums: Callable[[TrainState, Batch, np.ndarray | jax.Array], dict[str, Any]]
    """From a state, a batch and which of its samples count to the sums of each trained head's
    scores."""


def build(
    config: Config,
    splits: Splits,
    mesh: Mesh | None = None,
    workers: int = 0,
) -> Program:
    """Brings the data to the devices and builds the functions of a run.

    Args:
      config: The configuration.
      splits: "train" and "test" sets, as :func:`experiments.data.load` returns them.
      mesh: Of axes "data" and "model", see :func:`experiments.devices.make_mesh`; by default all
        devices are "data".
      workers: Processes that make the batches of a set that does not fit in memory.

    Raises:
      UserError: If the model or the method is unknown, or does not fit the data set, or the batch
        does not fit the data or the devices.
    """
    dataset = DATASETS[config.dataset]
    method = methods.build(config)
    optimisation = config.optimisation
    mesh = mesh or devices.make_mesh()
    feed = feeds.build(splits, optimisation.batch_size, mesh, workers)
    replicated = devices.replicated(mesh)
    shapes = {name: feed.shapes[name] for name in dataset.modalities}
    outputs = {head: task.num_outputs for head, task in dataset.heads.items()}
    tasks = {head: dataset.heads[head] for head in method.trained_heads(tuple(dataset.heads))}

    # What does not depend on the parameters needs no pretrained ones.
    from_scratch = dataclasses.replace(config, weights=None)
    model = models.build(from_scratch, shapes, outputs, config.seed)
    model.train()
    training_graph = nnx.graphdef(model)
    model.eval()
    evaluation_graph = nnx.graphdef(model)
    encoders = {
        name: Encoder(params=f"encoders/{name}", objectives=method.encoder_objectives(heads))
        for name, heads in dataset.encoders.items()
    }
    tx = optax.chain(
        method.aggregator(encoders, feed.steps_per_epoch),
        optax.add_decayed_weights(optimisation.weight_decay),
        optax.sgd(optimisation.learning_rate, momentum=optimisation.momentum),
    )

    def objectives(
        params: Any, batch_stats: Any, batch: Batch, key: jax.Array
    ) -> tuple[Losses, tuple[Losses, Any]]:
        model = nnx.merge(training_graph, params, batch_stats)
        predictions = model(dataset.inputs(batch), rngs=nnx.Rngs(dropout=key))
        losses = {
            head: task.loss(predictions[head], batch[task.target])
            for head, task in dataset.heads.items()
        }
        return method.objectives(losses), (losses, _batch_stats(model))

    def new_state(config: Config, seed: int) -> TrainState:
        model = models.build(config, shapes, outputs, seed)
        params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=jax.random.PRNGKey(seed),
            params=params,
            batch_stats=_batch_stats(model),
            opt_state=tx.init(params),
        )

    # The shapes are those of any seed.
    shardings = devices.of_state(mesh, jax.eval_shape(lambda: new_state(from_scratch, 0)))

    def initial_state(seed: int) -> TrainState:
        return devices.place(new_state(config, seed), shardings)

    @functools.partial(jax.jit, donate_argnums=0, out_shardings=(shardings, replicated))
    def step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Any]]:
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), DROPOUT)
        objective_grads = mmp.value_and_objective_grads(objectives, encoders, has_aux=True)
        (values, (losses, batch_stats)), grads = objective_grads(
            state.params, state.batch_stats, batch, key
        )
        updates, opt_state = tx.update(grads, state.opt_state, state.params, losses=values)
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": losses, "encoders": mmp.diagnostics(opt_state)}
        return TrainState(state.step + 1, state.key, params, batch_stats, opt_state), metrics

    @functools.partial(jax.jit, out_shardings=replicated)
    def sums(state: TrainState, batch: Batch, counted: jax.Array) -> dict[str, Any]:
        model = nnx.merge(evaluation_graph, state.params, state.batch_stats)
        predictions = model(dataset.inputs(batch))
        return {
            head: task.sums(predictions[head], batch[task.target], counted)
            for head, task in tasks.items()
        }

    return Program(feed, tasks, initial_state, step, sums)


def _batch_stats(model: nnx.Module) -> Any:
    return nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
