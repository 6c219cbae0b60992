"""Balanced multimodal learning against greedy learners: the faster modality is paused at times.

Wu, Jastrzębski, Cho & Geras, `Characterizing and overcoming the greedy nature of learning in
multi-modal deep neural networks <https://arxiv.org/abs/2202.05306>`_, ICML 2022. Parameters
``theta`` with gradient ``g`` have the speed ``mu(theta) = |g|^2 / |theta|^2`` in a step. Let
``theta_m`` be the parameters of branch m that learn from its own modality, and ``theta'_m`` those
that learn from the other one. The conditional learning speed of the other modality given m, with
sums over the regular steps until now, is ::

    s_m = log10( sum mu(theta'_m) / sum mu(theta_m) ).

If ``|s_0 - s_1|`` exceeds a threshold after a regular step, a window of re-balancing steps follows.
They train the branch with the larger s, which learned less from its own modality: in it, the input
from the other modality is replaced by its running mean.

The paper studies two branches with a prediction each, which exchange information through MMTM
blocks. Our decisions, for any encoders and a joint head:

* ``theta_m`` is the encoder of modality m. The parameters outside the encoders belong to neither
  modality; the released code counts such shared parameters in both ``theta'``. They cancel in the
  difference, ``s_0 - s_1 = log10(sum mu(theta_1) / sum mu(theta_0))``, and are not measured.
* The loss is the joint one, since each unimodal head has the input of one modality only. The paper
  sums the losses of its two predictions, both of which depend on both modalities.
* In a re-balancing step the joint head reads the running mean of the faster modality's
  representation, the same for every sample, and that modality's encoder has no gradient. Momentum,
  weight decay and batch statistics work as in any other step.
* The running mean is the mean of the batch means of all steps, including re-balancing steps, as in
  the released code. Representations of early steps count as much as those of late ones.
* The logarithm is to base 10 and re-balancing begins with the second epoch, as in the released
  code; the speeds are summed from the first step.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.data import DATASETS
from experiments.errors import NotApplicableError, UserError
from experiments.methods._method import Method, Pass, Problem, Representations


class Balance(NamedTuple):
    """The state of the method greedy; all fields but the two counts of steps are by modality."""

    speeds: Mapping[str, jax.Array]  # sums of mu over the regular steps
    means: Representations  # over all steps until now, of one sample's shape
    rest: Mapping[str, jax.Array]  # int32, the number of re-balancing steps left
    steps: jax.Array  # int32, the number of steps until now
    warm_up: jax.Array  # int32, steps before re-balancing may begin


def greedy(
    config: Config, *, threshold: float = 0.01, window: int = 5, warm_up_epochs: int = 1
) -> Method:
    """Train on the joint loss, and pause the encoder that learns faster than the other.

    Args:
      config: The configuration.
      threshold: The largest tolerated difference of conditional learning speeds. 0.01 by default,
        as in the released configuration, where it is called epsilon. If it is infinite, the method
        is ``joint``.
      window: Number of consecutive re-balancing steps. 5 by default, as in the released
        configuration.
      warm_up_epochs: Epochs before re-balancing may begin. 1 by default, as in the released
        configuration.

    Raises:
      UserError: If an option is out of range; from ``init``, if there is no joint head or there are
        not two modalities.
    """
    _check(threshold, window, warm_up_epochs)
    task = DATASETS[config.dataset].heads.get("joint")

    def init(problem: Problem) -> Balance:
        _check_problem(problem)
        return Balance(
            speeds={name: jnp.zeros(()) for name in problem.encoders},
            means={name: jnp.zeros(problem.features[name]) for name in problem.encoders},
            rest={name: jnp.zeros((), jnp.int32) for name in problem.encoders},
            steps=jnp.zeros((), jnp.int32),
            warm_up=jnp.asarray(warm_up_epochs * problem.steps_per_epoch, jnp.int32),
        )

    def objectives(forward: Pass, state: Balance) -> tuple[dict[str, jax.Array], Representations]:
        assert task is not None
        read = {
            name: jnp.where(state.rest[name] > 0, state.means[name][jnp.newaxis], each)
            for name, each in forward.representations.items()
        }
        loss = task.loss(forward.classify(read)["joint"], forward.batch[task.target])
        batch_means = {name: jnp.mean(x, axis=0) for name, x in forward.representations.items()}
        return {"joint": loss}, batch_means

    def after_step(state: Balance, signals: Any, gradients: Any, params: Any) -> Balance:
        regular = sum(state.rest.values()) == 0
        speeds = {
            name: total
            + jnp.where(regular, mu(gradients["encoders"][name], params["encoders"][name]), 0.0)
            for name, total in state.speeds.items()
        }
        steps = state.steps + 1
        begins = regular & (steps >= state.warm_up)
        lead = {name: jnp.log10(speeds[name] / speeds[_other(name, speeds)]) for name in speeds}
        return Balance(
            speeds=speeds,
            means={
                name: mean + (signals[name] - mean) / steps.astype(mean.dtype)
                for name, mean in state.means.items()
            },
            rest={
                name: jnp.where(begins & (lead[name] > threshold), window, jnp.maximum(left - 1, 0))
                for name, left in state.rest.items()
            },
            steps=steps,
            warm_up=state.warm_up,
        )

    return Method(
        objectives=objectives,
        encoder_objectives=lambda heads: ("joint",),
        aggregator=lambda encoders, problem: mmp.aggregate(mmp.weightings.uniform(), encoders),
        trained_heads=lambda heads: tuple(head for head in heads if head == "joint"),
        init=init,
        modulate=lambda gradients, signals, state, key: still(gradients, state.rest),
        after_step=after_step,
    )


def mu(gradient: Any, params: Any) -> jax.Array:
    """Return the learning speed ``()``: squared norm of a gradient over that of the parameters.

    Args:
      gradient: A tree of arrays.
      params: The parameters, a tree of the same structure. Zeros give infinity or NaN.

    Examples:
      >>> float(mu({"kernel": jnp.array([3.0, 4.0])}, {"kernel": jnp.array([10.0, 0.0])}))
      0.25
    """
    return optax.tree.norm(gradient, squared=True) / optax.tree.norm(params, squared=True)


def still(gradients: Any, rest: Mapping[str, jax.Array]) -> Any:
    """Return the gradients of all parameters, with zeros for the encoders that are paused.

    In a model whose streams exchange information, a paused encoder would have a gradient through
    the other's representation.

    Args:
      gradients: The gradients of the model, a dict with those of the encoders under "encoders".
      rest: By modality, the number of re-balancing steps left; an encoder is paused if it is
        positive.
    """
    encoders = {
        name: jax.tree.map(lambda g, left=rest[name]: jnp.where(left > 0, 0.0, g), each)
        for name, each in gradients["encoders"].items()
    }
    return {**gradients, "encoders": encoders}


def _other(name: str, both: Mapping[str, Any]) -> str:
    (other,) = both.keys() - {name}
    return other


def _check(threshold: float, window: int, warm_up_epochs: int) -> None:
    if not threshold >= 0:
        raise UserError(f"threshold must not be negative, got {threshold}")
    if not (isinstance(window, int) and window > 0):
        raise UserError(f"window must be a positive whole number of steps, got {window}")
    if not (isinstance(warm_up_epochs, int) and warm_up_epochs >= 0):
        raise UserError(f"warm_up_epochs must be a whole number of epochs, got {warm_up_epochs}")


def _check_problem(problem: Problem) -> None:
    if "joint" not in problem.heads:
        raise NotApplicableError(
            "method greedy trains on the loss of all modalities together, and this data set has "
            f"only {' and '.join(problem.heads)}: choose another method"
        )
    if len(problem.encoders) != 2:
        raise NotApplicableError(
            f"greedy compares two modalities, and this data set has {len(problem.encoders)} "
            f"({', '.join(problem.encoders)}): choose another method"
        )
