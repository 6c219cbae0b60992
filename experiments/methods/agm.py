"""AGM: adaptive gradient modulation.

Li et al., `Boosting multi-modal model performance with adaptive gradient modulation
<https://arxiv.org/abs/2308.07686>`_, ICCV 2023. Training is on the joint loss alone; the unimodal
heads are untrained. In step t, with M modalities,

* the joint logits are divided among the modalities. The response ``phi_m`` of modality m is its
  Shapley value, where a set S of modalities is worth the joint logits ``F(S)`` with the others
  zeroed, and the empty set is worth zero. With two, ``phi_a = (F(a, v) - F(v) + F(a)) / 2``. The
  responses add up to the joint logits;
* the score ``s_m`` is the mean cross-entropy of softmax(phi_m), where a probability below 1e-8
  counts as 1e-8;
* the discrepancy ratio is ``r_m = exp(mean_{k != m} (s_k - s_m))``, above 1 for a modality that is
  ahead. The reference ``tau_m`` is the same ratio of the mean scores of all earlier steps, and
  ``tau_m = 1`` in the first step;
* the coefficient is ``kappa_m = exp(-alpha (r_m - tau_m))``;
* the gradient of the loss through ``phi_m`` is multiplied by ``kappa_m``, so the whole gradient is
  ``sum_m kappa_m (dphi_m / dtheta)^T dL / dlogits``. For a concatenation this is kappa_m times the
  gradient of encoder m and of its part of the joint head.

The strength alpha is 1.5 on CREMA-D, 2.5 on AV-MNIST and 4 on UR-Funny with late fusion, throughout
the training, as the authors say in answers about their released code. Its default is 1, which we
use for data sets that they do not name.

The equations are those of the released code. Our decisions:

* The released code zeroes inputs, with one more pass through the encoders for each subset. We zero
  the representations that the heads read, which needs one pass through the encoders and is the same
  for encoders that map zeros to zeros. If the encoders exchange information, a representation may
  depend on other modalities.
* ``tau - r`` is at most 10, as in the released code for CREMA-D (for UR-Funny it is 7, and the
  other sets have no limit): a ratio grows exponentially, and kappa is exponential in it.
* The ratio of more than three modalities: the released code has formulas for two and for three; the
  mean above agrees with both.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from experiments.config import Config
from experiments.errors import NotApplicableError
from experiments.methods._hyper_parameters import in_range
from experiments.methods._method import Losses, Method, Pass, Problem
from experiments.methods._responses import joint_logits
from experiments.methods._shapley import shapley_values
from experiments.methods.joint import joint

ALPHA = {"crema-d": 1.5}
"""The strength that AGM's authors use, by data set."""

ALPHA_ELSEWHERE = 1.0

LARGEST_LEAD = 10.0
"""Upper limit of ``tau - r``."""

SMALLEST_PROBABILITY = 1e-8

MOST_MODALITIES = 8
"""Largest number of modalities, since the joint head is evaluated for each subset."""


class Scores(NamedTuple):
    """The state of AGM: the mean scores of the steps so far, by modality."""

    steps: jax.Array  # () float32
    means: dict[str, jax.Array]  # by modality, () float32; 0 before the first step


def agm(config: Config, *, alpha: float | None = None) -> Method:
    """Modulate the gradient through each modality's share of the joint logits.

    Args:
      config: The configuration of the run.
      alpha: Strength of the modulation; 0 is training on the joint loss. By default the published
        value: 1.5 on CREMA-D, else 1.

    Raises:
      UserError: If alpha is not a finite number of at least 0; from ``init``, if there are more
        than 8 modalities.
    """
    published = ALPHA.get(config.dataset, ALPHA_ELSEWHERE)
    strength = published if alpha is None else alpha
    in_range("alpha", strength, 0)

    def objectives(forward: Pass, state: Scores) -> tuple[Losses, dict[str, jax.Array]]:
        shares = responses(forward)
        labels = forward.batch["label"]
        scores = {name: cross_entropy(share, labels) for name, share in shares.items()}
        kappa = jax.lax.stop_gradient(coefficients(scores, state.means, strength))
        logits = modulated(forward.outputs["joint"], shares, kappa)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return {"joint": jnp.mean(loss)}, scores

    return joint(config)._replace(objectives=objectives, init=init, after_step=after_step)


def init(problem: Problem) -> Scores:
    """Return the state of AGM before the first step.

    Raises:
      UserError: If there are more than 8 modalities.
    """
    if len(problem.encoders) > MOST_MODALITIES:
        raise NotApplicableError(
            f"method agm evaluates the joint head for every subset of the modalities, and "
            f"{len(problem.encoders)} are too many (at most {MOST_MODALITIES}): choose another "
            "method"
        )
    return Scores(jnp.zeros(()), {name: jnp.zeros(()) for name in problem.encoders})


def after_step(
    state: Scores, scores: dict[str, jax.Array], gradients: object, params: object
) -> Scores:
    """Return AGM's state after one more step, whose scores enter the running means.

    Args:
      state: The state before the step.
      scores: The scores of the step by modality, ``()``.
      gradients: Ignored.
      params: Ignored.
    """
    del gradients, params
    steps = state.steps + 1
    means = {name: mean + (scores[name] - mean) / steps for name, mean in state.means.items()}
    return Scores(steps, means)


def responses(forward: Pass) -> dict[str, jax.Array]:
    """Return the share of each modality in the joint logits, its Shapley value ``[B, classes]``.

    Args:
      forward: A pass over a batch of B samples. The joint head is evaluated for every subset of the
        modalities.
    """
    modalities = tuple(forward.representations)
    joint = forward.outputs["joint"]

    def worth(present: frozenset[str]) -> jax.Array:
        if not present:
            return jnp.zeros_like(joint)
        return joint if len(present) == len(modalities) else joint_logits(forward, present)

    return shapley_values(modalities, worth)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean cross-entropy ``()`` of a batch, where a probability counts as at least 1e-8.

    Args:
      logits: ``[B, classes]``.
      labels: int ``[B]``.
    """
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean(jnp.minimum(losses, -jnp.log(SMALLEST_PROBABILITY)))


def ratios(scores: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Return the ratio by which each modality is ahead of the others; 1 for equal scores.

    Args:
      scores: The cross-entropy of each modality, ``()``; a smaller one is ahead.

    Returns:
      The exponential of the others' mean score less the modality's own, above 1 if it is ahead.
    """
    return {
        name: jnp.exp(jnp.mean(jnp.stack([scores[k] - score for k in scores if k != name])))
        for name, score in scores.items()
    }


def coefficients(
    scores: Mapping[str, jax.Array], means: Mapping[str, jax.Array], alpha: float
) -> dict[str, jax.Array]:
    """Return AGM's factor kappa ``()`` of the gradient through each modality's response.

    It is below 1 for a modality that is ahead of the others by its cross-entropy, compared with
    the ratio of the means, and above 1 for one that is behind.

    Args:
      scores: The cross-entropy of each modality in this step, ``()``.
      means: Its mean over all earlier steps, ``()``; zeros before the first step.
      alpha: The strength of the modulation; 0 gives ones.

    Examples:
      >>> scores = {"audio": jnp.array(1.0), "video": jnp.array(2.0)}
      >>> means = {"audio": jnp.array(1.5), "video": jnp.array(1.5)}
      >>> kappa = coefficients(scores, means, alpha=1.0)
      >>> {name: round(float(factor), 4) for name, factor in kappa.items()}
      {'audio': 0.1794, 'video': 1.8816}
    """
    now, reference = ratios(scores), ratios(means)
    return {
        name: jnp.exp(alpha * jnp.minimum(reference[name] - ratio, LARGEST_LEAD))
        for name, ratio in now.items()
    }


def modulated(
    logits: jax.Array, responses: Mapping[str, jax.Array], kappa: Mapping[str, jax.Array]
) -> jax.Array:
    """Return the logits with the gradient through each response multiplied by its ``kappa``.

    The responses add up to the logits, so each gradient is there once already. The added terms have
    the value zero and ``kappa - 1`` times the gradient.

    Args:
      logits: The joint logits ``[B, classes]``.
      responses: The share of each modality in them, ``[B, classes]``.
      kappa: The factor of each modality, ``()``.
    """
    for name, response in responses.items():
        logits = logits + (kappa[name] - 1) * (response - jax.lax.stop_gradient(response))
    return logits
