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
from experiments import methods, models
from experiments.config import Config
from experiments.data import DATASETS, Splits
from experiments.data.storage.holding_out import hold_out
from experiments.engine import devices, feeds
from experiments.engine.feeds import Batch, Feed, OnDevice
from experiments.methods import Losses, Pass, Problem
from experiments.models.network import Network
from experiments.tasks import Task
from mmpareto_jax import Encoder

DROPOUT, METHOD = 1, 2
"""What the random key of a step is for; that of an epoch is for the order of the samples."""

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
    method: Any  # what the method carries
    opt_state: tuple[optax.OptState, optax.OptState]  # of the aggregator and of SGD


class Program(NamedTuple):
    """The data and the compiled functions of one run."""

    feed: Feed
    tasks: Mapping[str, Task]
    """Of the heads that the method trains."""
    initial_state: Callable[[int], TrainState]
    """From a seed to the state before the first step."""
    before_epoch: Callable[[TrainState], TrainState]
    """What the method does between epochs; consumes the state."""
    step: Callable[[TrainState, Batch], tuple[TrainState, dict[str, Any]]]
    """From a state and a batch to the next state and metrics; consumes the state."""
    epoch: Callable[[TrainState], tuple[TrainState, dict[str, Any]]] | None
    """The steps of a whole epoch in one call, whose metrics are stacked ``[steps, ...]``: from the
    state before the epoch, which it consumes. For a data set that lies on an accelerator, where a
    call for each step takes longer than the step; else None."""
    losses: Callable[[TrainState, Batch], Losses]
    """From a state and a batch to the loss of each head, trained or not, in evaluation mode (no
    dropout, fixed batch statistics); differentiable in the parameters."""
    sums: Callable[[TrainState, Batch, np.ndarray | jax.Array], dict[str, Any]]
    """From a state, a batch and which of its samples count to the sums of each trained head's
    scores."""
    represent: Callable[[TrainState, Batch], tuple[Mapping[str, jax.Array], Batch]]
    """From a state and a batch to the representations of its samples, by encoder, and the fields
    that the heads are to predict."""


def build(
    config: Config,
    splits: Splits,
    mesh: Mesh | None = None,
    workers: int = 0,
    whole_epochs: bool | None = None,
) -> Program:
    """Brings the data to the devices and builds the functions of a run.

    Args:
      config: The configuration.
      splits: "train" and "test" sets, as :func:`experiments.data.load` returns them.
      mesh: Of axes "data" and "model", see :func:`experiments.engine.devices.make_mesh`; by
        default all devices are "data".
      workers: Processes that make the batches of a set that does not fit in memory.
      whole_epochs: Take the steps of an epoch in one call, if the data set lies on the devices; by
        default on accelerators alone, since XLA's loops are slower on a CPU.

    Raises:
      UserError: If the model or the method is unknown, or does not fit the data set, or the batch
        does not fit the data or the devices.
    """
    dataset = DATASETS[config.dataset]
    method = methods.build(config)
    mesh = mesh or devices.make_mesh()
    if whole_epochs is None:
        whole_epochs = jax.default_backend() != "cpu"
    if method.held_out:
        splits = hold_out(splits, method.held_out)
    feed = feeds.build(splits, config.optimisation.batch_size, mesh, workers)
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

    def run(model: Network, batch: Batch, rngs: nnx.Rngs | None = None) -> Pass:
        representations = model.encode(dataset.inputs(batch), rngs=rngs)
        predictions = model.classify(representations, rngs=rngs)
        losses = {
            head: task.loss(predictions[head], batch[task.target])
            for head, task in dataset.heads.items()
        }
        return Pass(batch, representations, predictions, losses, model.classify)

    def evaluated(state: TrainState, batch: Batch) -> Pass:
        return run(nnx.merge(evaluation_graph, state.params, state.batch_stats), batch)

    inputs = {name: jnp.zeros((1, *feed.shapes[name])) for name in shapes}
    representations = jax.eval_shape(lambda: model.encode(inputs))
    problem = Problem(
        heads=tuple(dataset.heads),
        encoders=dataset.encoders,
        outputs=outputs,
        features={name: array.shape[1:] for name, array in representations.items()},
        steps_per_epoch=feed.steps_per_epoch,
        epochs=config.optimisation.epochs,
    )
    encoders = {
        name: Encoder(params=f"encoders/{name}", objectives=method.encoder_objectives(heads))
        for name, heads in dataset.encoders.items()
    }
    aggregator = method.aggregator(encoders, problem)
    optimiser = optax.chain(
        optax.add_decayed_weights(config.optimisation.weight_decay),
        optax.sgd(config.optimisation.learning_rate, momentum=config.optimisation.momentum),
    )

    def objectives(
        params: Any, batch_stats: Any, method_state: Any, batch: Batch, key: jax.Array
    ) -> tuple[Losses, Any]:
        model = nnx.merge(training_graph, params, batch_stats)
        forward = run(model, batch, nnx.Rngs(dropout=key))
        values, signals = method.objectives(forward, method_state)
        return values, (forward.losses, signals, _batch_stats(model))

    def new_state(config: Config, seed: int) -> TrainState:
        model = models.build(config, shapes, outputs, seed)
        params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=jax.random.PRNGKey(seed),
            params=params,
            batch_stats=_batch_stats(model),
            method=method.init(problem),
            opt_state=(aggregator.init(params), optimiser.init(params)),
        )

    # The shapes are those of any seed.
    shardings = devices.of_state(mesh, jax.eval_shape(lambda: new_state(from_scratch, 0)))

    def initial_state(seed: int) -> TrainState:
        return devices.place(new_state(config, seed), shardings)

    def next_state(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Any]]:
        key = jax.random.fold_in(state.key, state.step)
        for_dropout, for_method = (jax.random.fold_in(key, use) for use in (DROPOUT, METHOD))
        objective_grads = mmp.value_and_objective_grads(objectives, encoders, has_aux=True)
        (values, (losses, signals, batch_stats)), gradients = objective_grads(
            state.params, state.batch_stats, state.method, batch, for_dropout
        )
        aggregation, optimisation = state.opt_state
        integrated, aggregation = aggregator.update(
            gradients, aggregation, state.params, losses=values
        )
        integrated = method.modulate(integrated, signals, state.method, for_method)
        updates, optimisation = optimiser.update(integrated, optimisation, state.params)
        following = TrainState(
            step=state.step + 1,
            key=state.key,
            params=optax.apply_updates(state.params, updates),
            batch_stats=batch_stats,
            method=method.after_step(state.method, signals, gradients, state.params),
            opt_state=(aggregation, optimisation),
        )
        return following, {"loss": losses, "encoders": mmp.diagnostics(aggregation)}

    compiled = functools.partial(jax.jit, donate_argnums=0, out_shardings=(shardings, replicated))
    step = compiled(next_state)

    @compiled
    def steps(state: TrainState, samples: Batch, order: jax.Array) -> tuple[TrainState, Any]:
        assert isinstance(feed, OnDevice)
        gather = feed.gather
        return jax.lax.scan(
            lambda state, rows: next_state(state, gather(samples, rows)), state, order
        )

    def epoch(state: TrainState) -> tuple[TrainState, dict[str, Any]]:
        assert isinstance(feed, OnDevice)
        number = int(state.step) // feed.steps_per_epoch
        return steps(state, feed.samples, feed.order(state.key, number))

    @functools.partial(jax.jit, out_shardings=replicated)
    def measure(state: TrainState, batch: Batch, counted: jax.Array) -> Any:
        return method.measure(evaluated(state, batch), counted)

    @functools.partial(jax.jit, donate_argnums=0, out_shardings=shardings)
    def turn(state: TrainState, sums_by_split: dict[str, Any]) -> TrainState:
        assert method.before_epoch is not None
        aggregation, optimisation = state.opt_state
        epoch = state.step // feed.steps_per_epoch
        method_state, optimisation = method.before_epoch(
            state.method, optimisation, sums_by_split, epoch
        )
        return state._replace(method=method_state, opt_state=(aggregation, optimisation))

    def measured(state: TrainState, split: str) -> Any:
        total = None
        for batch in feed.evaluation(split):
            part = measure(state, *batch)
            total = part if total is None else jax.tree.map(jnp.add, total, part)
            jax.block_until_ready(total)
        return total

    def before_epoch(state: TrainState) -> TrainState:
        if method.before_epoch is None:
            return state
        splits = method.measured(int(state.step) // feed.steps_per_epoch)
        return turn(state, {split: measured(state, split) for split in splits})

    @functools.partial(jax.jit, out_shardings=replicated)
    def losses(state: TrainState, batch: Batch) -> Losses:
        return evaluated(state, batch).losses

    @functools.partial(jax.jit, out_shardings=replicated)
    def sums(state: TrainState, batch: Batch, counted: jax.Array) -> dict[str, Any]:
        predictions = evaluated(state, batch).outputs
        return {
            head: task.sums(predictions[head], batch[task.target], counted)
            for head, task in tasks.items()
        }

    @functools.partial(jax.jit, out_shardings=replicated)
    def represent(state: TrainState, batch: Batch) -> tuple[Mapping[str, jax.Array], Batch]:
        targets = {task.target: batch[task.target] for task in dataset.heads.values()}
        return evaluated(state, batch).representations, targets

    return Program(
        feed=feed,
        tasks=tasks,
        initial_state=initial_state,
        before_epoch=before_epoch,
        step=step,
        epoch=epoch if whole_epochs and isinstance(feed, OnDevice) else None,
        losses=losses,
        sums=sums,
        represent=represent,
    )


def _batch_stats(model: nnx.Module) -> Any:
    return nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
