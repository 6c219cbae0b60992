"""Steps of `mmp.integrate`, and of the aggregator that they are compared with."""

import jax

import mmpareto_jax as mmp

EXACT = ("stacked", "gramian")
"""The strategies that take the step of the aggregator."""


def step_of(integrator, **kwargs):
    """A compiled step."""
    return jax.jit(
        lambda params, state, batch: integrator.value_and_grad(params, state, batch, **kwargs)
    )


def updates_of_the_aggregator(problem, weighting, steps, losses=None):
    """The updates of some steps by the aggregator, on the same parameters each time."""
    tx = mmp.aggregate(weighting, problem.encoders)
    grads_of = mmp.value_and_objective_grads(losses or problem.losses, problem.encoders)

    @jax.jit
    def step(params, state, batch):
        values, grads = grads_of(params, batch)
        return tx.update(grads, state, params, losses=values)

    updates, state = [], tx.init(problem.params)
    for _ in range(steps):
        update, state = step(problem.params, state, problem.batch)
        updates.append(update)
    return updates, mmp.diagnostics(state)
