"""The training step: a pure function from a state and a batch to the next state and metrics."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

import mmpareto_jax as mmp
from experiments.config import Optimization
from experiments.data import Batch
from experiments.engine.forward import Forward
from experiments.engine.state import TrainState
from experiments.methods import Losses, Method, Problem
from mmpareto_jax import Encoder

DROPOUT, METHOD = 1, 2
"""Numbers that derive the keys of dropout and of the method from the key of a step.

The order of the samples uses keys of epochs instead.
"""


class Step:
    """The step of a method: forward pass, gradients by objective, their combination, SGD.

    It is a pure function; :func:`experiments.engine.program.build` compiles it.

    Args:
      method: The training method.
      forward: The passes of the model.
      problem: What the run trains.
      optimization: The settings of SGD.
      diagnose: Whether the metrics tell what SGD left of each combined gradient.
    """

    def __init__(
        self,
        method: Method,
        forward: Forward,
        problem: Problem,
        optimization: Optimization,
        diagnose: bool,
    ) -> None:
        self._method = method
        self._forward = forward
        self._problem = problem
        self._diagnose = diagnose
        self._encoders = encoders = {
            name: Encoder(params=f"encoders/{name}", objectives=method.encoder_objectives(heads))
            for name, heads in problem.encoders.items()
        }
        self._gradients = mmp.value_and_objective_grads(self._objectives, encoders, has_aux=True)
        self._aggregator = optax.with_extra_args_support(method.aggregator(encoders, problem))
        self._sgd = optax.chain(
            optax.add_decayed_weights(optimization.weight_decay),
            optax.sgd(optimization.learning_rate, momentum=optimization.momentum),
        )

    def init(self, params: Any, batch_stats: Any, seed: int) -> TrainState:
        """Return the state before the first step.

        Args:
          params: The initial parameters.
          batch_stats: The initial batch statistics.
          seed: The seed of the order of the samples, of dropout and of the method's randomness.
        """
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=jax.random.PRNGKey(seed),
            params=params,
            batch_stats=batch_stats,
            method=self._method.init(self._problem),
            opt_state=(self._aggregator.init(params), self._sgd.init(params)),
        )

    def __call__(self, state: TrainState, batch: Batch) -> tuple[TrainState, Mapping[str, Any]]:
        """Take one step.

        Args:
          state: The state before the step.
          batch: The batch.

        Returns:
          The next state, and the metrics of this step: ``loss``, a scalar by head, ``encoders``,
          the :class:`mmpareto_jax.Diagnostics` by encoder, and with ``diagnose`` also
          ``alignment``: by encoder, ``update_cosine`` and ``update_change``, scalars by objective.
        """
        key = jax.random.fold_in(state.key, state.step)
        for_dropout, for_method = (jax.random.fold_in(key, use) for use in (DROPOUT, METHOD))
        (values, (losses, signals, batch_stats)), gradients = self._gradients(
            state.params, state.batch_stats, state.method, batch, for_dropout
        )
        aggregation, sgd = state.opt_state
        integrated, aggregation = self._aggregator.update(
            gradients, aggregation, state.params, losses=values
        )
        integrated = self._method.modulate(integrated, signals, state.method, for_method)
        updates, sgd = self._sgd.update(integrated, sgd, state.params)
        following = TrainState(
            step=state.step + 1,
            key=state.key,
            params=optax.apply_updates(state.params, updates),
            batch_stats=batch_stats,
            method=self._method.after_step(state.method, signals, gradients, state.params),
            opt_state=(aggregation, sgd),
        )
        metrics = {"loss": losses, "encoders": mmp.diagnostics(aggregation)}
        if self._diagnose:
            metrics["alignment"] = self._alignment(gradients, updates)
        return following, metrics

    def _alignment(self, gradients: Any, updates: Any) -> dict[str, dict[str, Losses]]:
        """Return the cosines and changes of :func:`mmpareto_jax.update_alignment` by objective."""
        found = mmp.update_alignment(gradients, updates, self._encoders)
        return {
            name: {
                f"update_{field}": dict(zip(self._encoders[name].objectives, values, strict=True))
                for field, values in alignment._asdict().items()
            }
            for name, alignment in found.items()
        }

    def _objectives(
        self, params: Any, batch_stats: Any, method_state: Any, batch: Batch, key: jax.Array
    ) -> tuple[Losses, Any]:
        forward, batch_stats = self._forward.train(params, batch_stats, batch, key)
        values, signals = self._method.objectives(forward, method_state)
        return values, (forward.losses, signals, batch_stats)
