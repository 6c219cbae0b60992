"""OGM-GE: on-the-fly gradient modulation, with generalization enhancement.

Peng et al., `Balanced multimodal learning via on-the-fly gradient modulation
<https://arxiv.org/abs/2203.15332>`_, CVPR 2022. Training is on the joint loss alone. In every step,

* the score of modality u is the probability that its part of the joint logits gives the true class,
  summed over the batch: ``s_u = sum_i softmax(W_u f_u(x_i) + b / 2)[y_i]``;
* the discrepancy ratio is ``rho_u = s_u / s_v``, v the other modality;
* the coefficient is ``k_u = 1 - tanh(alpha * rho_u)`` if ``rho_u > 1`` and 1 otherwise;
* the gradient of encoder u becomes ``k_u g_u + h_u``, where h_u is normal noise of mean zero with
  the covariance of g_u.

The strength alpha is 0.8 on CREMA-D and 0.1 on VGGSound and by default, according to the authors'
notes on their released code. For data sets that they do not name, we use 0.1.

Our decisions, where the paper does not say:

* More than two modalities: the paper has two; the MMPareto paper extends the method (Table 7) and
  does not say how. We use the mean score of all other modalities for ``s_v``. (The authors once
  suggested the mean of the pairwise ratios instead.)
* The part of a modality in a fusion that is not a concatenation: we use
  ``F(u) - (1 - 1/M) F()``, where F gives the joint logits from some of the M modalities, with zeros
  for the other representations. For a concatenation that is ``W_u f_u + b / M``.
* The covariance of the noise: as in the released code, each tensor's noise is independent in every
  entry, with the standard deviation (unbiased) of the entries of its gradient before modulation.
* The modulated tensors: the released code modulates convolution kernels alone; the authors explain
  that its encoders consist of them, and that dense layers of encoders should be modulated likewise.
  We modulate all parameters of the encoders, and none of the heads.
* The modulated epochs: the paper modulates in all epochs. The released code modulates in a window,
  by default the first half of 100 epochs; we have no window.
* Weight decay is added afterwards, so it is neither modulated nor part of the noise.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from experiments.config import Config
from experiments.errors import UserError
from experiments.methods._hyper_parameters import in_range
from experiments.methods._method import Losses, Method, Pass, State
from experiments.methods._responses import joint_logits
from experiments.methods.joint import joint

ALPHA = {"crema-d": 0.8}
"""The strength that OGM-GE's authors use, by data set."""

ALPHA_ELSEWHERE = 0.1


def ogm_ge(config: Config, *, alpha: float | None = None, noise: bool = True) -> Method:
    """Slow the encoders of modalities that are ahead, and add noise to the gradients of all.

    Args:
      config: The configuration of the run.
      alpha: Strength of the modulation. By default the published value: 0.8 on CREMA-D, else 0.1.
      noise: Whether to add noise, the "GE" of the name. True by default. With ``alpha=0`` and
        ``noise=False`` the method trains on the joint loss.

    Raises:
      UserError: If alpha is not a finite number of at least 0, or noise is not True or False.
    """
    published = ALPHA.get(config.dataset, ALPHA_ELSEWHERE)
    strength = published if alpha is None else alpha
    in_range("alpha", strength, 0)
    if not isinstance(noise, bool):
        raise UserError(f"option noise must be True or False, got {noise}")

    def objectives(forward: Pass, state: State) -> tuple[Losses, dict[str, jax.Array]]:
        del state
        return {"joint": forward.losses["joint"]}, coefficients(scores(forward), strength)

    def modulate(
        gradients: Any, factors: dict[str, jax.Array], state: State, key: jax.Array
    ) -> Any:
        del state
        modulated = scaled(gradients["encoders"], factors)
        if noise:
            drawn = sampling_noise(gradients["encoders"], key)
            modulated = jax.tree.map(jnp.add, modulated, drawn)
        return {**gradients, "encoders": modulated}

    return joint(config)._replace(objectives=objectives, modulate=modulate)


def scores(forward: Pass) -> dict[str, jax.Array]:
    """Return the score of each modality: the true classes' probabilities, summed over the batch.

    The probabilities come from the modality's part of the joint logits alone.

    Args:
      forward: A pass over a batch.

    Returns:
      The score ``s_u`` by modality, ``()``.
    """
    modalities = tuple(forward.representations)
    shared = (1 - 1 / len(modalities)) * joint_logits(forward, ())
    labels = forward.batch["label"][:, None]
    parts = {name: joint_logits(forward, (name,)) - shared for name in modalities}
    return {
        name: jnp.sum(jnp.take_along_axis(jax.nn.softmax(part), labels, axis=1))
        for name, part in parts.items()
    }


def coefficients(scores: Mapping[str, jax.Array], alpha: float) -> dict[str, jax.Array]:
    """Return the factor of each encoder's gradient, by modality, from the scores.

    Args:
      scores: The score of each modality, ``()``.
      alpha: The strength of the modulation; 0 gives ones.

    Returns:
      The factors ``k_u``, ``()``: below 1 for a modality that is ahead, else 1.

    Examples:
      >>> factors = coefficients({"audio": jnp.array(3.0), "video": jnp.array(1.0)}, alpha=0.5)
      >>> {name: round(float(factor), 4) for name, factor in factors.items()}
      {'audio': 0.0949, 'video': 1.0}
    """

    def coefficient(name: str) -> jax.Array:
        others = [score for other, score in scores.items() if other != name]
        ratio = scores[name] / jnp.mean(jnp.stack(others))
        return jnp.where(ratio > 1, 1 - jnp.tanh(alpha * ratio), 1.0)

    return {name: coefficient(name) for name in scores}


def scaled(encoders: Mapping[str, Any], factors: Mapping[str, jax.Array]) -> dict[str, Any]:
    """Return the gradients of each encoder times its factor.

    Args:
      encoders: The gradients by modality, trees of arrays.
      factors: The factors by modality, ``()``.
    """
    return {
        name: jax.tree.map(lambda gradient, factor=factors[name]: factor * gradient, encoder)
        for name, encoder in encoders.items()
    }


def sampling_noise(gradients: Any, key: jax.Array) -> Any:
    """Draw normal noise with the standard deviation of the gradient's entries in each tensor.

    Args:
      gradients: A tree of arrays.
      key: The random key.

    Returns:
      The noise, of mean zero, in a tree of the same shapes.
    """
    leaves, structure = jax.tree.flatten(gradients)
    keys = jax.tree.unflatten(structure, list(jax.random.split(key, len(leaves))))
    return jax.tree.map(lambda g, k: _spread(g) * jax.random.normal(k, g.shape), gradients, keys)


def _spread(gradient: jax.Array) -> jax.Array:
    """Return the standard deviation ``()`` of all entries (divisor n - 1), 0 for a single one."""
    deviations = gradient - jnp.mean(gradient)
    return jnp.sqrt(jnp.sum(deviations**2) / max(gradient.size - 1, 1))
