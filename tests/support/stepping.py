"""Weightings run over the Gramians and losses of several steps."""

import jax
import jax.numpy as jnp
import numpy as np
from compiling import quick_jit
from gramians import gramian_of


def run(weighting, gramians, losses=None):
    """The weights of each step, `[T, K]`, compiled once."""
    count = gramians.shape[-1]

    def scan(gramians, losses):
        def step(state, given):
            gramian, values = given
            extra = {} if values is None else {"losses": values}
            weights, state = weighting.update(gramian, state, **extra)
            return state, weights

        return jax.lax.scan(step, weighting.init(count), (gramians, losses))[1]

    with jax.enable_x64(gramians.dtype == np.float64):
        return np.asarray(quick_jit(scan)(gramians, losses))


def in_float64(weighting, steps):
    """The weights of steps `(gradients, losses)`, in float64."""
    gradients, losses = (np.stack(each) for each in zip(*steps, strict=True))
    return run(weighting, gramian_of(gradients), losses)


def random_steps(count, length=24, seed=0):
    """Gradients that drift, so that a state matters, and losses that fall at different rates."""
    rng = np.random.default_rng([seed, count])
    base = rng.standard_normal((count, 7)) * np.exp(rng.uniform(-1, 1, (count, 1)))
    rates = rng.uniform(0.01, 0.2, count)
    return [
        (
            base + 0.7 * rng.standard_normal(base.shape),
            np.exp(-rates * t) * rng.uniform(0.5, 2.0, count),
        )
        for t in range(length)
    ]


def full_rank(count, seed=0):
    """Six sets of independent gradients `[6, K, K + 3]` of unlike norms."""
    rng = np.random.default_rng([seed, count])
    return rng.standard_normal((6, count, count + 3)) * np.exp(rng.uniform(-1, 1, (6, count, 1)))


def close(found, expected, rtol=1e-9):
    """Check each entry, with an error relative to the largest."""
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def update_of(factory, grads, steps=1, **options):
    """The updates of `steps` steps on the same gradients."""
    with jax.enable_x64(jax.tree.leaves(grads)[0].dtype == np.float64):
        tx = factory(**options)
        state = tx.init(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), grads))
        update, found = quick_jit(tx.update), []
        for _ in range(steps):
            updates, state = update(grads, state)
            found.append(jax.tree.map(np.asarray, updates))
    return found[0] if steps == 1 else found
