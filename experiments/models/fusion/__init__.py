"""Late fusions by name, which map the modalities' representations to joint logits.

The constructor of a fusion takes the number of modalities, the size of their representations, the
number of classes and ``rngs``. A fusion is called with the representations in order.
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
    """Return the class of the fusion with a name.

    Raises:
      UserError: If no fusion has that name.

    Examples:
      >>> constructor("product")
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: unknown fusion 'product': choose one of concatenation, film, ...
    """
    if name not in FUSIONS:
        raise UserError(f"unknown fusion {name!r}: choose one of {', '.join(sorted(FUSIONS))}")
    return FUSIONS[name]
