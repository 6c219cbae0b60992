"""Training steps to compare: SGD with momentum on the sum of the losses or by MMPareto."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

import jax
import optax

import mmpareto_jax as mmp

SGD = optax.sgd(1e-3, momentum=0.9)

Strategy = Literal["stacked", "gramian", "features"]
STRATEGIES: tuple[Strategy, ...] = ("stacked", "gramian", "features")


class Problem(Protocol):
    """What a benchmark trains: a model in two halves, its variables and a batch.

    The halves are the encoders and the losses of their outputs, the features.
    """

    @property
    def params(self) -> Any:
        """Return the initial parameters, a tree of arrays."""

    @property
    def statistics(self) -> Any:
        """Return the initial batch statistics, or None if there is no batch normalization."""

    @property
    def batch(self) -> Any:
        """Return the inputs and labels of one batch, a tree of arrays ``[B, *shape]``."""

    def losses(self, params: Any, statistics: Any, batch: Any) -> Any:
        """Return the scalar losses by name, and the new batch statistics."""

    def encode(self, params: Any, statistics: Any, batch: Any) -> dict[str, Any]:
        """Return a dict of the features by encoder, which may have other entries too.

        Where there are batch statistics, the new ones are such an entry, "statistics".
        """

    def losses_from_features(
        self, params: Any, features: Any, statistics: Any, batch: Any
    ) -> tuple[Any, Any]:
        """Return the losses by name from what :meth:`encode` gave, and the new statistics."""


class State(NamedTuple):
    """The state of training, which a step changes.

    Attributes:
      params: The parameters.
      statistics: The batch statistics, or None.
      opt_state: The state of SGD with momentum.
      integration: The state of the method that combines the gradients; None for the plain step.
    """

    params: Any
    statistics: Any
    opt_state: Any
    integration: Any


Step = Callable[[State, Any], State]
"""Function from a state and a batch to the next state."""


def uniform(problem: Problem) -> tuple[Step, State]:
    """Return the step of plain training on the sum of the losses, and its initial state.

    Args:
      problem: The network and its batch.
    """

    def step(state: State, batch: Any) -> State:
        def total(params: Any) -> Any:
            values, statistics = problem.losses(params, state.statistics, batch)
            return sum(values.values()), statistics

        grads, statistics = jax.grad(total, has_aux=True)(state.params)
        return apply(state, grads, statistics, None)

    return step, State(problem.params, problem.statistics, SGD.init(problem.params), None)


def integrated(
    problem: Problem,
    encoders: Mapping[str, mmp.Encoder],
    strategy: Strategy,
    axis_name: str | None = None,
) -> tuple[Step, State]:
    """Return the step of training with MMPareto by a strategy, and its initial state.

    Args:
      problem: The network and its batch.
      encoders: Encoders by name.
      strategy: The strategy of ``mmp.integrate``; not "features" if ``axis_name`` is given.
      axis_name: Mapped axis over which the losses are averaged; by default, they are not.
    """

    def losses(params: Any, statistics: Any, batch: Any) -> Any:
        values, statistics = problem.losses(params, statistics, batch)
        return (jax.lax.pmean(values, axis_name) if axis_name else values), statistics

    halves = mmp.Features(problem.encode, problem.losses_from_features)
    integrator = mmp.integrate(
        halves if strategy == "features" else losses,
        encoders,
        mmp.weightings.mmpareto(),
        strategy=strategy,
        has_aux=True,
    )

    def step(state: State, batch: Any) -> State:
        (_, statistics), grads, integration = integrator.value_and_grad(
            state.params, state.integration, state.statistics, batch
        )
        return apply(state, grads, statistics, integration)

    start = SGD.init(problem.params), integrator.init(problem.params)
    return step, State(problem.params, problem.statistics, *start)


def apply(state: State, grads: Any, statistics: Any, integration: Any) -> State:
    """Return the state after a step of SGD.

    Args:
      state: The state before the step.
      grads: One gradient for each parameter, shaped like the parameters.
      statistics: The new batch statistics, or None.
      integration: The new state of the method that combined the gradients, or None.
    """
    updates, opt_state = SGD.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return State(params, statistics, opt_state, integration)
