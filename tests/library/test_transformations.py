"""Whole training steps under `vmap`, `scan` and `grad`."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mmpareto_jax as mmp


def training_step(problem, tx):
    def step(params, opt_state, batch):
        compute = mmp.value_and_objective_grads(problem.losses, problem.encoders)
        values, grads = compute(params, batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, values

    return step


def test_vmap_over_seeds_equals_a_loop(late_fusion):
    tx = optax.chain(mmp.mmpareto(late_fusion.encoders), optax.sgd(0.1))
    step = training_step(late_fusion, tx)

    runs = [jax.tree.map(lambda p, s=s: s * np.asarray(p), late_fusion.params) for s in (1, -1, 3)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *runs)
    run = lambda params: step(params, tx.init(params), late_fusion.batch)
    together = jax.jit(jax.vmap(run))(stacked)
    alone = jax.jit(run)
    for i, params in enumerate(runs):
        this = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        chex.assert_trees_all_close(this, alone(params), rtol=1e-5, atol=1e-6)


def test_scan_equals_a_loop(late_fusion):
    tx = optax.chain(mmp.mmpareto(late_fusion.encoders), optax.sgd(0.1, momentum=0.9))
    step = training_step(late_fusion, tx)

    @jax.jit
    def scanned(params):
        body = lambda carry, _: (step(*carry, late_fusion.batch)[:2], None)
        return jax.lax.scan(body, (params, tx.init(params)), length=5)[0]

    carry, one_step = (late_fusion.params, tx.init(late_fusion.params)), jax.jit(step)
    for _ in range(5):
        carry = one_step(*carry, late_fusion.batch)[:2]
    chex.assert_trees_all_close(scanned(late_fusion.params), carry, rtol=1e-4, atol=1e-6)


# Inner problem: quadratic losses whose centers pull one vector of parameters, which starts at zero,
# together or apart.
CENTERS = {
    "agreement": [[2.0, 1.0, 0.5], [1.0, 2.0, -0.5]],
    "conflict": [[2.0, 1.0, 0.5], [-1.0, 2.0, -0.5]],
    "conflict, clipped": [[2.0, 1.0, 0.5], [-0.2, 0.1, 0.1]],
    "three in agreement": [[2.0, 1.0, 0.5], [1.0, 2.0, 0.5], [1.0, 1.0, 1.0]],
    "three in conflict": [[2.0, 1.0, 0.5], [-1.0, 2.0, 0.5], [0.5, -2.0, 1.0]],
}


@cache
def outer_loss(count, rescale):
    """A loss after one inner step, with its derivative by the weight of the second inner loss."""
    names = [f"loss {i}" for i in range(count)]
    encoders = {"net": mmp.Encoder(params="net", objectives=tuple(names))}
    tx = optax.chain(mmp.mmpareto(encoders, rescale=rescale), optax.sgd(0.3))

    def losses(params, weight, centers):
        values = jnp.sum((params["net"][None] - centers) ** 2, axis=1)
        return dict(zip(names, values.at[1].multiply(weight), strict=True))

    def after_step(weight, centers):
        params = {"net": jnp.zeros(3)}
        _, grads = mmp.value_and_objective_grads(losses, encoders)(params, weight, centers)
        updates, state = tx.update(grads, tx.init(params), params)
        params = optax.apply_updates(params, updates)
        return jnp.sum(jnp.sin(params["net"])), mmp.diagnostics(state)["net"].conflict

    return jax.jit(jax.value_and_grad(after_step, has_aux=True))


@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
@pytest.mark.parametrize("case", CENTERS)
def test_a_hyper_parameter_can_be_differentiated_through_the_step(case, rescale):
    with jax.enable_x64(True):
        centers, h = np.array(CENTERS[case]), 1e-5
        outer = outer_loss(len(centers), rescale)
        (_, conflict), derivative = outer(1.3, centers)
        (above, _), _ = outer(1.3 + h, centers)
        (below, _), _ = outer(1.3 - h, centers)
        assert bool(conflict) == ("conflict" in case)
        np.testing.assert_allclose(derivative, (above - below) / (2 * h), rtol=1e-6)


@cache
def derivative_by_scale(rescale):
    tx, params = mmp.mmpareto(rescale=rescale), jnp.zeros(2)

    def after_step(scale, rows):
        return jnp.sum(tx.update(scale * rows, tx.init(params), params)[0])

    return jax.jit(jax.grad(after_step))


@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
@pytest.mark.parametrize(
    "rows",
    [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 0.0]], [[1.0, 2.0], [-1.0, -2.0]]],
    ids=["all zero", "one zero", "opposite"],
)
def test_zero_and_opposite_gradients_have_finite_derivatives(rows, rescale):
    # A dead encoder, or a stationary one, must not poison the derivative of the whole step.
    assert jnp.isfinite(derivative_by_scale(rescale)(1.0, np.array(rows, np.float32)))
