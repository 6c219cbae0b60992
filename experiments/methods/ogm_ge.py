"""OGM-GE: on-the-fly gradient modulation, with generalization enhancement.

Peng et al., `Balanced multimodal learning via on-the-fly gradient modulation
<https://arxiv.org/abs/2203.15332>`_, CVPR 2022. Training is on the joint loss alone. In every step,

* the score of modality u is what its part of the joint logits gives the true class, summed over the
  batch: ``s_u = sum_i softmax(W_u f_u(x_i) + b / 2)[y_i]``;
* the discrepancy ratio is ``rho_u = s_u / s_v``, v the other modality;
* the coefficient is ``k_u = 1 - tanh(alpha * rho_u)`` where ``rho_u > 1`` and 1 elsewhere;
* the gradient of encoder u becomes ``k_u g_u + h_u``, where h_u is normal noise of mean zero with
  the covariance of g_u.

The strength alpha is 0.8 on CREMA-D and 0.1 on VGGSound, and 0.1 where nothing is said: so the
authors' notes on their released code. For data sets that they do not name, we take 0.1.

What the paper leaves open, and how we read it:

* More than two modalities. The paper has two; the MMPareto paper extends the method (Table 7) and
  does not say how. We take for ``s_v`` the mean score of all other modalities. (The authors once
  suggested the mean of the pairwise ratios instead.)
* The part of a modality where the fusion is not a concatenation. We take
  ``F(u) - (1 - 1/M) F()``, where F gives the joint logits from some of the M modalities, with zeros
  for the other representations. For a concatenation that is ``W_u f_u + b / M``.
* The covariance of the noise. As in the released code, each tensor's noise is independent in every
  entry, with the standard deviation (unbiased) of the entries of its gradient before modulation.
* Which tensors. The released code modulates convolution kernels alone; the authors explain that its
  encoders consist of them, and that dense layers of encoders should be modulated likewise. We take
  all parameters of the encoders, and none of the heads.
* When. The paper modulates throughout. The released code has a window, by default the first half of
  100 epochs; we have none.
* Weight decay is added afterwards: it is neither modulated nor enters the noise.
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
"""The published strength, by data set."""

ALPHA_ELSEWHERE = 0.1


def ogm_ge(config: Config, *, alpha: float | None = None, noise: bool = True) -> Method:
    """Slows the encoders of modalities that are ahead, and adds noise to the gradients of all.

    Args:
      config: Of the run.
      alpha: Strength of the modulation. None for the published one: 0.8 on CREMA-D, else 0.1.
      noise: Whether there is noise, the "GE" of the name. 0 and False are training on the joint
        loss.

    Raises:
      UserError: If alpha is not a finite number of at least 0, or noise not True or False.
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
    """By modality, the probability of the true class from its part of the logits, summed."""
    modalities = tuple(forward.representations)
    shared = (1 - 1 / len(modalities)) * joint_logits(forward, ())
    labels = forward.batch["label"][:, None]
    parts = {name: joint_logits(forward, (name,)) - shared for name in modalities}
    return {
        name: jnp.sum(jnp.take_along_axis(jax.nn.softmax(part), labels, axis=1))
        for name, part in parts.items()
    }


def coefficients(scores: Mapping[str, jax.Array], alpha: float) -> dict[str, jax.Array]:
    """By modality, the factor of its encoder's gradient, from the scores.

    Example:
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
    """Return the gradients of each encoder times its factor."""
    return {
        name: jax.tree.map(lambda gradient, factor=factors[name]: factor * gradient, encoder)
        for name, encoder in encoders.items()
    }


def sampling_noise(gradients: Any, key: jax.Array) -> Any:
    """Draw normal noise as large, in each tensor, as the deviation of the gradient's entries."""
    leaves, structure = jax.tree.flatten(gradients)
    keys = jax.tree.unflatten(structure, list(jax.random.split(key, len(leaves))))
    return jax.tree.map(lambda g, k: _spread(g) * jax.random.normal(k, g.shape), gradients, keys)


def _spread(gradient: jax.Array) -> jax.Array:
    """Return the unbiased standard deviation of the entries, 0 of a single one."""
    deviations = gradient - jnp.mean(gradient)
    return jnp.sqrt(jnp.sum(deviations**2) / max(gradient.size - 1, 1))
