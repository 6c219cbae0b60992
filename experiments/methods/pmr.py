"""PMR, prototypical modal rebalance: losses on class means balance the modalities."""

import math
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


class Prototypes(NamedTuple):
    """The state of PMR, which changes between epochs only."""

    centroids: Mapping[str, jax.Array]  # by modality, [classes, features] float32
    early: jax.Array  # () float32, 1 in the epochs with entropy regularization, 0 after


def pmr(
    config: Config,
    *,
    alpha: float = 1.0,
    mu: float = 0.01,
    momentum: float = 0.2,
    entropy_epochs: int = 5,
) -> Method:
    """Speed up the slower modality, and at first slow down the faster one, by prototypes.

    Modality m has a prototype for each class k, the mean ``c_k`` of its representations ``z``. The
    prototypes define a classifier without parameters, and an imbalance ratio for each batch::

        p(k | z) = softmax_k(-|z - c_k|)                                  (Eq. 7)
        s_m      = sum_i p(y_i | z_i),     rho = s_0 / s_1                (Eq. 8)
        PCE_m    = mean_i -log p(y_i | z_i)                               (Eq. 9)
        beta     = clip(1 / rho - 1, 0, 1) if rho < 1, otherwise 0        (Eq. 11)
        gamma    = clip(rho - 1, 0, 1)     if rho >= 1, otherwise 0
        loss     = CE_joint + alpha (beta PCE_0 + gamma PCE_1)            (Eq. 10)
                   - mu (gamma H_0 + beta H_1)                            (Eq. 13)

    with ``H_m`` the mean entropy of ``p``, in the first epochs only. Before each epoch the
    prototypes become ``momentum c + (1 - momentum) c_new`` (Eq. 12).

    The paper uses alpha 1 or 2 and mu 0.01 or 0.001, "for different datasets", without saying
    which; the first of each is the default here. The momentum is that of the released code, since
    the paper gives none. The number of epochs with entropy regularization is "few" in the paper,
    and the released code has no such term: the default of 5 is ours.

    Our decisions, where the paper does not say:

    * Any number of modalities: each is sped up by its distance to the fastest,
      ``beta_m = clip(max_l s_l / s_m - 1, 0, 1)``, and only the fastest is slowed down, by the
      largest of these. With two modalities that is Eq. 10 to 13.
    * No gradient goes through the coefficients, nor through the prototypes (Algorithm 1).
    * Prototypes are means over the whole training set, with the network in evaluation mode. The
      paper uses a tenth of it to save time, and finds that the whole does as well (Table 5).
    * The first epoch uses prototypes of the initial network, without momentum.
    * The released code uses 0 or 1 for beta and gamma; here they are those of Eq. 11.
    * A representation is one vector, whatever its shape. The gradient of a distance of 0 is 0.

    With alpha and mu 0 the loss is that of ``joint``. The heads of single modalities are not
    trained.

    Args:
      config: The configuration.
      alpha: Weight of the prototypical cross-entropy.
      mu: Weight of the prototypical entropy.
      momentum: Share of the old prototypes in the new ones, from 0 to below 1.
      entropy_epochs: Epochs with entropy regularization.

    Raises:
      UserError: If a hyper-parameter is out of range; from ``init`` and ``trained_heads``, if the
        data set has no joint head.

    References:
      Fan, Xu, Wang, Wang & Guo, `PMR: prototypical modal rebalance for multimodal learning
      <https://arxiv.org/abs/2211.07089>`_, 2023.
    """
    del config
    in_range("alpha", alpha, 0)
    in_range("mu", mu, 0)
    in_range("momentum", momentum, 0, 1)
    in_range("entropy_epochs", entropy_epochs, 0)

    def init(problem: Problem) -> Prototypes:
        names = modalities("pmr", problem.heads)
        classes = problem.outputs["joint"]
        sizes = {name: math.prod(problem.features[name]) for name in names}
        return Prototypes(
            centroids={name: jnp.zeros((classes, size)) for name, size in sizes.items()},
            early=jnp.float32(entropy_epochs > 0),
        )

    def objectives(forward: Pass, prototypes: Prototypes) -> tuple[Losses, tuple[()]]:
        labels = forward.batch["label"]
        log_p = {
            name: log_probabilities(_vectors(forward.representations[name]), centroids)
            for name, centroids in prototypes.centroids.items()
        }
        scores = {name: _true_class(jnp.exp(each), labels).sum() for name, each in log_p.items()}
        speed_up, hold_back = coefficients(scores)
        total = forward.losses["joint"]
        for name, each in log_p.items():
            cross_entropy = -_true_class(each, labels).mean()
            entropy = -jnp.sum(jnp.exp(each) * each, axis=-1).mean()
            total += alpha * speed_up[name] * cross_entropy
            total -= mu * prototypes.early * hold_back[name] * entropy
        return {"rebalanced": total}, ()

    def before_epoch(
        old: Prototypes,
        optimizer: optax.OptState,
        sums_by_split: Mapping[str, Any],
        epoch: jax.Array,
    ) -> tuple[Prototypes, optax.OptState]:
        sums, counts = sums_by_split["train"]
        kept = jnp.where(epoch == 0, 0.0, momentum)
        centroids = {
            name: kept * old.centroids[name]
            + (1 - kept) * each / jnp.maximum(counts, 1)[:, jnp.newaxis]
            for name, each in sums.items()
        }
        return Prototypes(centroids, jnp.float32(epoch < entropy_epochs)), optimizer

    def trained_heads(heads: tuple[str, ...]) -> tuple[str, ...]:
        modalities("pmr", heads)
        return ("joint",)

    return Method(
        objectives=objectives,
        encoder_objectives=lambda heads: ("rebalanced",),
        aggregator=lambda encoders, problem: mmp.aggregate(mmp.weightings.uniform(), encoders),
        trained_heads=trained_heads,
        init=init,
        splits=lambda epoch: ("train",),
        sums=class_sums,
        before_epoch=before_epoch,
    )


def log_probabilities(vectors: jax.Array, centroids: jax.Array) -> jax.Array:
    """Return the log-probabilities ``log p(k | z)`` of PMR's prototypes (Eq. 7).

    Args:
      vectors: The representations z, ``[B, features]``.
      centroids: The prototypes of the classes, ``[classes, features]``.

    Returns:
      ``[B, classes]``.

    Examples:
      >>> jnp.exp(log_probabilities(jnp.zeros((1, 1)), jnp.array([[1.0], [-1.0]])))
      Array([[0.5, 0.5]], dtype=float32)
    """
    squares = jnp.sum(jnp.square(vectors[:, jnp.newaxis] - centroids[jnp.newaxis]), axis=-1)
    apart = squares > 0
    # The root of 0 has no gradient, so no gradient may reach it.
    distances = jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1.0)), 0.0)
    return jax.nn.log_softmax(-distances, axis=-1)


def coefficients(
    scores: Mapping[str, jax.Array],
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Return PMR's coefficients that speed up and slow down each modality, beta and gamma.

    Args:
      scores: The sum of the true classes' probabilities over the batch by modality, ``s_m`` (Eq.
        8), ``()``.

    Returns:
      By modality the coefficients of its cross-entropy and of its entropy, each ``()`` and from 0
      to 1, without gradient.

    Examples:
      >>> speed_up, hold_back = coefficients({"audio": jnp.array(3.0), "video": jnp.array(2.0)})
      >>> [float(each) for each in (*speed_up.values(), *hold_back.values())]
      [0.0, 0.5, 0.5, 0.0]
    """
    scores = {name: jax.lax.stop_gradient(score) for name, score in scores.items()}
    fastest = jnp.max(jnp.stack(list(scores.values())))
    smallest = jnp.finfo(fastest.dtype).tiny  # all probabilities can be 0 in 32 bits
    speed_up = {
        name: jnp.clip(fastest / jnp.maximum(score, smallest) - 1, 0, 1)
        for name, score in scores.items()
    }
    largest = jnp.max(jnp.stack(list(speed_up.values())))
    hold_back = {name: jnp.where(score == fastest, largest, 0.0) for name, score in scores.items()}
    return speed_up, hold_back


def class_sums(forward: Pass, counted: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
    """Return the sum of each modality's representations per class, and the samples per class.

    Args:
      forward: A pass over B samples.
      counted: Which samples count, bool ``[B]``.

    Returns:
      Sums ``[classes, features]`` by modality, and counts ``[classes]``.
    """
    classes = forward.outputs["joint"].shape[-1]
    labels = jax.nn.one_hot(forward.batch["label"], classes)
    members = jnp.where(counted[:, jnp.newaxis], labels, 0)
    sums = {
        name: jnp.matmul(members.T, _vectors(each), precision=jax.lax.Precision.HIGHEST)
        for name, each in forward.representations.items()
    }
    return sums, members.sum(axis=0)


def _vectors(representations: jax.Array) -> jax.Array:
    return representations.reshape(len(representations), -1)


def _true_class(values: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the value of each sample's label, ``[B]``.

    Args:
      values: ``[B, classes]``.
      labels: int ``[B]``.
    """
    return jnp.take_along_axis(values, labels[:, jnp.newaxis], axis=-1)[:, 0]
