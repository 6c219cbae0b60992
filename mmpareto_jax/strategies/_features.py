"""The strategy "features": weights from the gradients with respect to the encoders' outputs."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax._encoders import PLAIN, Encoder, label_parameters
from mmpareto_jax._gramian import combine
from mmpareto_jax._scattered import AxisName, apart, average_gradients, average_values
from mmpareto_jax.strategies._strategy import Decide, Integrated, merge, pullback, select


@dataclasses.dataclass(frozen=True)
class Features:
    """A model in two halves: its encoders, and the losses of what they return.

    :func:`~mmpareto_jax.integrate` takes it in the place of a function of losses for its strategy
    "features", which computes an encoder's weights from the gradients at the encoder's output.

    Attributes:
      encode: ``encode(params, *args)`` returns a dict. Under the name of each encoder it has the
        output of that encoder, which may be any tree of arrays. It may have other entries:
        ``losses`` gets them too, and no gradient flows back through them.
      losses: ``losses(params, features, *args)`` returns the dict of scalar losses.
    """

    encode: Callable[..., Mapping[str, Any]]
    losses: Callable[..., Any]


def features(
    encode: Callable[..., Mapping[str, Any]],
    losses: Callable[..., Any],
    encoders: Mapping[str, Encoder],
    decide: Decide,
    average_over: AxisName | None,
) -> Callable[[Any], Integrated]:
    r"""Choose the weights by the gradients at the features, and run one backward pass.

    The features are the outputs of the encoders. One backward pass per loss goes back to them; the
    combined gradients then go back through the encoders once.

    **This is an approximation.** The Gramian is that of the losses' gradients with respect to the
    encoder's output z, not to its parameters :math:`\theta`. Since
    :math:`|\sum_i w_i \nabla_\theta L_i| \le |\partial z / \partial \theta| |\sum_i w_i \nabla_z
    L_i|`, the min-norm weights of the features minimize an upper bound (MGDA-UB). Norms, cosines
    and conflict are also those at the features, and properties of a method, such as no conflict,
    hold there.

    Args:
      encode: Function from parameters to features by encoder.
      losses: Function from parameters and features to the losses by name and auxiliary output.
      encoders: Encoders by name.
      decide: Function from an encoder's name, its gradients ``[K, *shape]`` at the features and the
        losses by name to its new state, which contains the weights.
      average_over: Mapped axes of data parallelism; each device has the features of its own
        samples.

    Returns:
      A function from parameters to :class:`Integrated`.

    References:
      Sener & Koltun, `Multi-task learning as multi-objective optimization
      <https://arxiv.org/abs/1810.04650>`_, 2018, Section 3.3.
    """

    def halves(params: Any) -> tuple[dict[str, Any], tuple[dict[str, Any], dict[str, Any]]]:
        encoded = encode(params)
        missing = [name for name in encoders if name not in encoded]
        if missing:
            raise ValueError(
                f"encode returned no features for encoder {missing[0]!r}; it returned "
                f"{', '.join(encoded)}"
            )
        own = {name: encoded[name] for name in encoders}
        rest = {name: other for name, other in encoded.items() if name not in own}
        return apart(own, average_over), (own, rest)

    def integrated(params: Any) -> Integrated:
        own = apart(params, average_over)
        encoded, pull_encoded, (features, rest) = jax.vjp(halves, own, has_aux=True)
        inputs = (own, encoded)
        values, pushforward, aux = jax.linearize(
            lambda params, encoded: losses(params, {**rest, **encoded}), *inputs, has_aux=True
        )
        structure = jax.tree.structure(params)
        labels = jax.tree.leaves(label_parameters(params, encoders))

        everything = pullback(pushforward, inputs, values, tuple(values), average_over)
        direct, cotangent = everything(jnp.ones(len(values)))
        through = pull_encoded(cotangent)[0]
        parts = {
            PLAIN: select(labels, PLAIN, jax.tree.leaves(jax.tree.map(jnp.add, direct, through)))
        }

        means = average_values(values, average_over)
        states, combined, beside = {}, {}, {}
        for name, encoder in encoders.items():
            pull = pullback(pushforward, inputs, values, encoder.objectives, average_over)
            rows = jax.vmap(lambda weights, name=name, pull=pull: pull(weights)[1][name])(
                jnp.eye(len(encoder.objectives))
            )
            averaged = average_gradients(rows, features[name], average_over, untracked=True)
            states[name] = decide(name, jax.tree.leaves(averaged), means)
            weights = states[name].weights
            combined[name] = jax.tree.map(lambda row, w=weights: combine(w, row), rows)
            # Parameters of the encoder that the losses also use directly, such as tied weights.
            beside[name] = pull(weights)[0]
        through = jax.tree.leaves(pull_encoded(combined)[0])
        for name in encoders:
            parts[name] = [
                one + other
                for one, other in zip(
                    select(labels, name, through),
                    select(labels, name, jax.tree.leaves(beside[name])),
                    strict=True,
                )
            ]
        grads = jax.tree.unflatten(structure, merge(labels, parts))
        grads = average_gradients(grads, params, average_over)
        return Integrated(means, aux, grads, states)

    return integrated
