"""The gradients of each loss by `jax.grad`, in the layout of `value_and_objective_grads`."""

import jax
import jax.numpy as jnp

MODALITIES = ("audio", "visual")


def separate_grads(losses, params, batch):
    """One full gradient per loss, by `jax.grad`."""

    @jax.jit
    def compute(params):
        loss = lambda params, name: losses(params, batch)[name]
        return {name: jax.grad(loss)(params, name) for name in ("joint", *MODALITIES)}

    return compute(params)


def stack(grads, encoders, encoder_of):
    """The contract, spelled out: rows in the order of the objectives, elsewhere the sum."""

    def leaf(path, *leaves):
        by_name = dict(zip(grads, leaves, strict=True))
        name = encoder_of(jax.tree_util.keystr(path, simple=True, separator="/"))
        if name is None:
            return sum(leaves)
        return jnp.stack([by_name[objective] for objective in encoders[name].objectives])

    return jax.tree_util.tree_map_with_path(leaf, *grads.values())


def top_level(path):
    """The encoder that has the name of the first key of a path, if there is one."""
    name = path.split("/")[0]
    return name if name in MODALITIES else None
