"""The compiled program of a run: one pure step over a Flax NNX model, on a mesh of devices."""

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
from experiments import devices, methods, models
from experiments.config import Config
from experiments.data import DATASETS, Fields
from experiments.errors import UserError
from experiments.methods import Losses
from mmpareto_jax import Encoder


class TrainState(NamedTuple):
    """Everything that a step changes or depends on; all of it goes into a checkpoint."""

    step: jax.Array  # () int32, steps taken, and with them the position in the data
    key: jax.Array  # [2] uint32, from which the order of the samples is drawn
    params: Any
    opt_state: optax.OptState


class Program(NamedTuple):
    """The data on the devices and the compiled functions of one run."""

    heads: tuple[str, ...]
    """The heads that the method trains."""
    steps_per_epoch: int
    """Full batches in the training set."""
    train_set: Fields
    """Spread over the devices, and filled up to divide among them; so is the test set."""
    test_set: Fields
    test_labels: np.ndarray
    """Of the test samples, on the host, [N] int32."""
    initial_state: Callable[[int], TrainState]
    """From a seed to the state before the first step."""
    draw_order: Callable[[TrainState], jax.Array]
    """From the state to this epoch's samples, [steps_per_epoch, batch_size] int32."""
    step: Callable[[TrainState, Fields, jax.Array], tuple[TrainState, dict[str, Any]]]
    """From state, training set and order to the next state and metrics; consumes the state."""
    predict: Callable[[Any, Fields, jax.Array | np.ndarray], dict[str, jax.Array]]
    """From parameters, a set and B of its samples to the classes of every head, [B] int32."""
    predict_batch_size: int


def build(config: Config, arrays: Mapping[str, Fields], mesh: Mesh | None = None) -> Program:
    """Puts the data on the devices and builds the functions of a run.

    Args:
      config: The configuration.
      arrays: "train" and "test" sets, as :func:`experiments.data.load` returns them.
      mesh: Of axes "data" and "model", see :func:`experiments.devices.make_mesh`; by default all
        devices are "data".

    Raises:
      UserError: If the model or the method is unknown, or the batch does not fit the data or the
        devices.
    """
    dataset = DATASETS[config.dataset]
    method = methods.build(config)
    make_model = models.constructor(config.model)
    optimisation = config.optimisation
    batch_size = optimisation.batch_size
    num_samples = len(arrays["train"]["label"])
    if batch_size > num_samples:
        raise UserError(f"batch_size {batch_size} exceeds the {num_samples} training samples")
    mesh = mesh or devices.make_mesh()
    if batch_size % mesh.shape["data"]:
        raise UserError(
            f"batch_size {batch_size} must be a multiple of the {mesh.shape['data']} devices that "
            "share a batch"
        )
    steps_per_epoch = num_samples // batch_size
    replicated, over_samples = devices.replicated(mesh), devices.over_samples(mesh)

    channels = {name: arrays["train"][name].shape[-1] for name in dataset.modalities}

    def build_model(seed: int) -> nnx.Module:
        return make_model(channels, dataset.num_classes, rngs=nnx.Rngs(seed))

    graph = nnx.graphdef(build_model(config.seed))
    encoders = {
        name: Encoder(params=f"encoders/{name}", objectives=method.encoder_objectives(name))
        for name in dataset.modalities
    }
    tx = optax.chain(
        method.aggregator(encoders, steps_per_epoch),
        optax.add_decayed_weights(optimisation.weight_decay),
        optax.sgd(optimisation.learning_rate, momentum=optimisation.momentum),
    )

    def logits(params: Any, batch: Fields) -> dict[str, jax.Array]:
        images = {name: batch[name].astype(jnp.float32) / 255 for name in dataset.modalities}
        return nnx.merge(graph, params)(images)

    def objectives(params: Any, batch: Fields) -> tuple[Losses, Losses]:
        losses = {
            head: jnp.mean(optax.softmax_cross_entropy_with_integer_labels(values, batch["label"]))
            for head, values in logits(params, batch).items()
        }
        return method.objectives(losses), losses

    def new_state(seed: int) -> TrainState:
        params = nnx.to_pure_dict(nnx.state(build_model(seed)))
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=jax.random.PRNGKey(seed),
            params=params,
            opt_state=tx.init(params),
        )

    # The shapes are those of any seed.
    shardings = devices.of_state(mesh, jax.eval_shape(lambda: new_state(config.seed)))

    def initial_state(seed: int) -> TrainState:
        return devices.place(new_state(seed), shardings)

    @functools.partial(jax.jit, out_shardings=replicated)
    def draw_order(state: TrainState) -> jax.Array:
        key = jax.random.fold_in(state.key, state.step // steps_per_epoch)
        order = jax.random.permutation(key, num_samples)
        return order[: steps_per_epoch * batch_size].reshape(steps_per_epoch, batch_size)

    def select(fields: Fields, samples: jax.Array | np.ndarray) -> Fields:
        batch = {name: field[samples] for name, field in fields.items()}
        return jax.lax.with_sharding_constraint(batch, over_samples)

    @functools.partial(jax.jit, donate_argnums=0, out_shardings=(shardings, replicated))
    def step(
        state: TrainState, train_set: Fields, order: jax.Array
    ) -> tuple[TrainState, dict[str, Any]]:
        batch = select(train_set, order[state.step % steps_per_epoch])
        objective_grads = mmp.value_and_objective_grads(objectives, encoders, has_aux=True)
        (values, losses), grads = objective_grads(state.params, batch)
        updates, opt_state = tx.update(grads, state.opt_state, state.params, losses=values)
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": losses, "encoders": mmp.diagnostics(opt_state)}
        return TrainState(state.step + 1, state.key, params, opt_state), metrics

    @functools.partial(jax.jit, out_shardings=replicated)
    def predict(
        params: Any, fields: Fields, samples: jax.Array | np.ndarray
    ) -> dict[str, jax.Array]:
        batch = select(fields, samples)
        return {head: jnp.argmax(values, -1) for head, values in logits(params, batch).items()}

    return Program(
        heads=method.trained_heads(dataset.modalities),
        steps_per_epoch=steps_per_epoch,
        train_set=devices.place_samples(mesh, dict(arrays["train"])),
        test_set=devices.place_samples(mesh, dict(arrays["test"])),
        test_labels=np.asarray(arrays["test"]["label"]),
        initial_state=initial_state,
        draw_order=draw_order,
        step=step,
        predict=predict,
        predict_batch_size=8 * batch_size,
    )
