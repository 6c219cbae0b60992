"""Unimodal pre-training of the encoders, followed by multimodal fine-tuning."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._hyper_parameters import in_range
from experiments.methods._method import Losses, Method, Pass, Problem
from experiments.methods._multimodal import modalities


class Phase(NamedTuple):
    """The state of the method: the phase, pre-training or fine-tuning, that a run is in."""

    turn: jax.Array  # () int32, the epoch with which fine-tuning begins, from 0
    finetuning: jax.Array  # () float32, the weight of the joint loss, 0 or 1


def pretrain_finetune(config: Config, *, share: float = 0.5) -> Method:
    """Train each modality on its own loss, then all together on the joint loss.

    This is "unimodal pre-trained & fine-tune" of the MMPareto paper (Table 1). The first epochs are
    those of the method ``unimodal``. The others are those of ``joint``, starting from the encoders
    of the first phase and with the momentum at zero::

        loss = (1 - w) sum_k L_k + w L_joint,    w = 0 in the first round(share * epochs) epochs,
                                                 w = 1 from then on

    The paper gives neither the length of the phases nor the state of the optimizer between them.
    Our decisions:

    * Each phase has half of the epochs that every other method has, so no method gets more updates
      than another. The last epoch is always fine-tuned.
    * The state has the epoch in which fine-tuning begins, which is set when the run begins. If a
      run is resumed with more epochs, it fine-tunes in all additional ones.
    * Weight decay acts in both phases: before fine-tuning it alone changes the joint head, after it
      the heads of single modalities.
    * Only the joint head counts as trained. The other heads belong to the encoders as they were
      before fine-tuning.
    * If encoders exchange information, the first phase still trains each on its own loss alone, but
      its representation depends on the inputs of all; ``unimodal`` does not accept such a model.

    An encoder has two objectives at every step, and one of their gradients is zero: the recorded
    conflict is always 0 and has no meaning.

    Args:
      config: The configuration.
      share: Share of the epochs in which modalities are trained by themselves, from 0 (``joint``)
        to below 1. The default of 0.5 is ours.

    Raises:
      UserError: If the share is out of range; from ``init`` and ``trained_heads``, if the data set
        has no joint head.

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Section 4.4 and Table 1.
    """
    del config
    in_range("share", share, 0, 1)

    def single(heads: tuple[str, ...]) -> tuple[str, ...]:
        return modalities("pretrain-finetune", heads)

    def trained_heads(heads: tuple[str, ...]) -> tuple[str, ...]:
        single(heads)
        return ("joint",)

    def objectives(forward: Pass, phase: Phase) -> tuple[Losses, tuple[()]]:
        weights = {
            "joint": phase.finetuning,
            **dict.fromkeys(single(tuple(forward.losses)), 1 - phase.finetuning),
        }
        return {name: weights[name] * loss for name, loss in forward.losses.items()}, ()

    def init(problem: Problem) -> Phase:
        single(problem.heads)
        turn = min(round(share * problem.epochs), problem.epochs - 1)
        return Phase(jnp.asarray(turn, jnp.int32), jnp.asarray(turn == 0, jnp.float32))

    def before_epoch(
        phase: Phase, optimizer: optax.OptState, sums_by_split: Mapping[str, Any], epoch: jax.Array
    ) -> tuple[Phase, optax.OptState]:
        del sums_by_split
        kept = jnp.where(epoch == phase.turn, 0, 1)
        fresh = jax.tree.map(lambda leaf: leaf * kept.astype(leaf.dtype), optimizer)
        return phase._replace(finetuning=jnp.float32(epoch >= phase.turn)), fresh

    return Method(
        objectives=objectives,
        encoder_objectives=lambda heads: heads,
        aggregator=lambda encoders, problem: mmp.aggregate(mmp.weightings.uniform(), encoders),
        trained_heads=trained_heads,
        init=init,
        before_epoch=before_epoch,
    )
