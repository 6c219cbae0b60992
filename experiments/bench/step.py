"""The training step of MMPareto over the uniform baseline's, on the network for CG-MNIST."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import mmpareto_jax as mmp
from experiments.bench.ratio import Ratio, times_in_turns
from experiments.models.cg_cnn import cg_cnn

BATCH_SIZE = 64
CHANNELS = {"gray": 1, "colour": 3}
ENCODERS = {
    name: mmp.Encoder(params=f"encoders/{name}", objectives=("joint", name)) for name in CHANNELS
}
SGD = optax.chain(optax.add_decayed_weights(1e-4), optax.sgd(1e-2, momentum=0.9))

Step = Callable[..., Any]


def measure(rounds: int) -> dict[str, float | Ratio]:
    """FLOPs, by XLA's cost analysis, and wall time of the compiled steps, as ratios."""
    shapes = {name: (28, 28, channels) for name, channels in CHANNELS.items()}
    model = cg_cnn(shapes, dict.fromkeys(["joint", *CHANNELS], 10), rngs=nnx.Rngs(0))
    graph, state = nnx.split(model)
    params = nnx.to_pure_dict(state)
    keys = jax.random.split(jax.random.key(0), len(CHANNELS) + 1)
    images = {
        name: jax.random.uniform(key, (BATCH_SIZE, *shape))
        for (name, shape), key in zip(shapes.items(), keys, strict=False)
    }
    labels = jax.random.randint(keys[-1], (BATCH_SIZE,), 0, 10)

    def losses(params: Any, images: Any, labels: jax.Array) -> dict[str, jax.Array]:
        return {
            head: jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))
            for head, logits in nnx.merge(graph, params)(images).items()
        }

    compiled = {}
    programs = {}
    for name, make, tx in [
        ("uniform", uniform_step, SGD),
        ("mmpareto", mmpareto_step, optax.chain(mmp.mmpareto(ENCODERS), SGD)),
    ]:
        arguments = (params, tx.init(params), images, labels)
        compiled[name] = jax.jit(make(losses, tx)).lower(*arguments).compile()
        programs[name] = lambda program=compiled[name], arguments=arguments: program(*arguments)
    times = times_in_turns(programs, rounds, calls=3)
    return {
        "FLOPs of the step, MMPareto over uniform": flops(compiled["mmpareto"])
        / flops(compiled["uniform"]),
        "wall time of the step, MMPareto over uniform": Ratio.over_rounds(
            times["mmpareto"], times["uniform"]
        ),
    }


def uniform_step(losses: Step, tx: optax.GradientTransformation) -> Step:
    """Plain training on the sum of the losses, as one writes it without this library."""

    def step(params: Any, opt_state: Any, *batch: Any) -> Any:
        def total(params: Any) -> Any:
            values = losses(params, *batch)
            return sum(values.values()), values

        (_, values), grads = jax.value_and_grad(total, has_aux=True)(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, values

    return step


def mmpareto_step(losses: Step, tx: optax.GradientTransformation) -> Step:
    """Training with MMPareto, as the README shows it."""

    def step(params: Any, opt_state: Any, *batch: Any) -> Any:
        values, grads = mmp.value_and_objective_grads(losses, ENCODERS)(params, *batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, values

    return step


def flops(compiled: Any) -> float:
    """Floating-point operations of a compiled program, as XLA counts them."""
    return float(compiled.cost_analysis()["flops"])
