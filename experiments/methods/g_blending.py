"""Gradient blending: losses weighted by the generalization and overfitting of their heads.

Wang, Tran & Feiszli, `What makes training multi-modal classification networks hard?
<https://arxiv.org/abs/1905.12681>`_, CVPR 2020, in the online form. Between two checkpoints, from
the mean losses of head k on the training set, ``T``, and on held-out samples, ``V``:

* overfitting is the gap ``V - T``, and its growth ``O_k = (V_k - T_k) - (V_k' - T_k')``;
* the gain is the fall of the held-out loss, ``G_k = V_k' - V_k``, a prime marking the earlier;
* the weight of the loss is ``w_k = G_k / O_k^2`` over a normalizer (Proposition 1).

Our decisions, where the paper differs or does not say:

* The paper trains copies of the model for an estimate, one for each head. Here the losses are those
  of the running model, in evaluation mode, before and after the last ``every`` epochs. No copy is
  trained, so the gain of a head includes the effect of the other heads on its encoder.
* Weights are ones until the first estimate. The weights of K heads sum to K (the paper's to one),
  so equal ratios give the update of ``uniform``, at its learning rate.
* A head without gain has weight zero until the next estimate. If no head gained, the weights do not
  change. Because of the square, overfitting that shrank counts as overfitting that grew. Its size
  counts as ``least_overfitting`` at least, so that no weight is infinite.
* Losses are measured as in evaluation: without augmentation, sample by sample.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.data import DATASETS
from experiments.errors import NotApplicableError, UserError
from experiments.methods._method import Losses, Method, Pass, Problem
from experiments.tasks import Task


class Blend(NamedTuple):
    """The state of gradient blending: the weights, and the mean losses at the last estimate.

    All are by head, ``()``.
    """

    weights: Mapping[str, jax.Array]
    train: Losses
    held_out: Losses


class LossSums(NamedTuple):
    """The sums of the losses over the samples of a set, and the number of these samples."""

    losses: Losses  # by head, the sum over samples
    samples: jax.Array


def g_blending(
    config: Config,
    *,
    every: int = 10,
    held_out: float = 0.1,
    least_overfitting: float = 1e-3,
) -> Method:
    """Train on the sum of all losses, with weights that are estimated every few epochs.

    Args:
      config: The configuration. With ``diagnose``, the weighted losses are differentiated one by
        one.
      every: Epochs between estimates, the paper's super-epoch. The default of 10 is ours, a third
        of the default 30 epochs, since the paper's lengths are for its own schedules.
      held_out: Share of the training set that is measured and not trained on. The default of 0.1 is
        ours.
      least_overfitting: Lower bound of ``|O_k|``, in units of the loss. The default of 1e-3 is
        ours.

    Raises:
      UserError: If an option is out of range; from ``init``, if there is no joint head.
    """
    _check(every, held_out, least_overfitting)

    def before_epoch(
        state: Blend, optimizer: optax.OptState, sums_by_split: Mapping[str, Any], epoch: jax.Array
    ) -> tuple[Blend, optax.OptState]:
        if not sums_by_split:
            return state, optimizer
        train, unseen = (_means(sums_by_split[name]) for name in ("train", "held-out"))
        estimate = blend(state, train, unseen, least_overfitting)
        weights = {
            head: jnp.where(epoch == 0, state.weights[head], weight)
            for head, weight in estimate.items()
        }
        return Blend(weights, train, unseen), optimizer

    one_by_one = Method(
        objectives=lambda forward, state: (_weighted(forward, state), ()),
        encoder_objectives=lambda heads: heads,
        aggregator=lambda encoders, problem: mmp.aggregate(mmp.weightings.uniform(), encoders),
        trained_heads=lambda heads: heads,
        init=_init,
        held_out=held_out,
        splits=lambda epoch: ("train", "held-out") if epoch % every == 0 else (),
        sums=_loss_sums(DATASETS[config.dataset].heads),
        before_epoch=before_epoch,
    )
    if config.diagnose:
        return one_by_one
    return one_by_one._replace(
        objectives=lambda forward, state: (
            {"sum": sum(_weighted(forward, state).values(), jnp.zeros(()))},
            (),
        ),
        encoder_objectives=lambda heads: ("sum",),
    )


def blend(
    state: Blend, train: Losses, held_out: Losses, least_overfitting: float
) -> dict[str, jax.Array]:
    """Return the weights by head, from the losses at the last estimate and the losses now.

    Args:
      state: The weights and losses at the last estimate.
      train: Mean losses on the training set now, by head.
      held_out: Mean losses on held-out samples now, by head.
      least_overfitting: Lower bound of the size of the growth of overfitting.

    Returns:
      Non-negative weights that sum to the number of heads; those of the state if no head gained.

    Examples:
      >>> before = Blend({"joint": 1.0, "audio": 1.0}, *2 * [{"joint": 2.0, "audio": 2.0}])
      >>> train, held_out = {"joint": 1.0, "audio": 1.0}, {"joint": 1.5, "audio": 1.25}
      >>> {head: round(float(w), 4) for head, w in blend(before, train, held_out, 1e-3).items()}
      {'joint': 0.2857, 'audio': 1.7143}
    """
    ratios = {}
    for head in held_out:
        gain = state.held_out[head] - held_out[head]
        growth = (held_out[head] - train[head]) - (state.held_out[head] - state.train[head])
        size = jnp.maximum(jnp.abs(growth), least_overfitting)
        ratios[head] = jnp.maximum(gain, 0.0) / jnp.square(size)
    largest = jnp.max(jnp.stack([*ratios.values()]))
    gained = largest > 0
    # Divided by the largest, so that equal ratios give exactly ones.
    relative = {head: ratio / jnp.where(gained, largest, 1.0) for head, ratio in ratios.items()}
    total = jnp.where(gained, sum(relative.values()), 1.0)
    return {
        head: jnp.where(gained, len(ratios) * share / total, state.weights[head])
        for head, share in relative.items()
    }


def _check(every: int, held_out: float, least_overfitting: float) -> None:
    if not (isinstance(every, int) and every > 0):
        raise UserError(f"every must be a positive whole number of epochs, got {every}")
    if not 0 < held_out < 1:
        raise UserError(f"held_out must be a share in (0, 1), got {held_out}")
    if not least_overfitting > 0:
        raise UserError(f"least_overfitting must be positive, got {least_overfitting}")


def _init(problem: Problem) -> Blend:
    if "joint" not in problem.heads:
        raise NotApplicableError(
            "method g-blending weighs a joint loss and those of the modalities, and this data set "
            f"has only {' and '.join(problem.heads)}: choose another method"
        )
    ones, train, held_out = (
        {head: jnp.full((), value) for head in problem.heads} for value in (1.0, 0.0, 0.0)
    )
    return Blend(ones, train, held_out)


def _weighted(forward: Pass, state: Blend) -> dict[str, jax.Array]:
    return {head: state.weights[head] * loss for head, loss in forward.losses.items()}


def _loss_sums(tasks: Mapping[str, Task]) -> Callable[[Pass, jax.Array], LossSums]:
    """Return a function of a pass and a mask bool ``[B]`` that sums the counted samples' losses.

    Args:
      tasks: The task of each head, whose loss is taken of one sample at a time.
    """

    def sums(forward: Pass, counted: jax.Array) -> LossSums:
        losses = {}
        for head, task in tasks.items():
            each = jax.vmap(lambda x, y, task=task: task.loss(x[None], y[None]))(
                forward.outputs[head], forward.batch[task.target]
            )
            losses[head] = jnp.sum(jnp.where(counted, each, 0.0))
        return LossSums(losses, jnp.sum(counted.astype(jnp.float32)))

    return sums


def _means(sums: LossSums) -> Losses:
    return {head: loss / sums.samples for head, loss in sums.losses.items()}
