"""Late fusions by name: from a representation of each modality to joint logits.

A fusion is made from the number of modalities, the size of their representations, the number of
classes and ``rngs``, and called with the representations in order.
"""

from collections.abc import Callable

from flax import nnx

from experiments.errors import UserError
from experiments.models.fusion.concatenation import Concatenation
from experiments.models.fusion.film import Film
from experiments.models.fusion.gated import Gated
from experiments.models.fusion.sum import Sum

FUSIONS: dict[str, Callable[..., nnx.Module]] = {
    "concatenation": Concatenation,
    "sum": Sum,
    "gated": Gated,
    "film": Film,
}
"""Every fusion, by name."""


def constructor(name: str) -> Callable[..., nnx.Module]:
    """Return the fusion class of that name.

    Raises:
      UserError: If no fusion has that name.

    Example:
      >>> constructor("product")
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: unknown fusion 'product': choose concatenation, sum, gated, film
    """
    if name not in FUSIONS:
        raise UserError(f"unknown fusion {name!r}: choose {', '.join(FUSIONS)}")
    return FUSIONS[name]
