"""Requirement of methods for several modalities: a data set with a joint head."""

from experiments.errors import NotApplicableError


def modalities(method: str, heads: tuple[str, ...]) -> tuple[str, ...]:
    """Return the heads of single modalities, in their order.

    Args:
      method: The name of the method, for the message.
      heads: All heads of the data set.

    Raises:
      UserError: If there is no joint head.

    Examples:
      >>> modalities("pmr", ("joint", "audio", "video"))
      ('audio', 'video')
    """
    if "joint" not in heads:
        raise NotApplicableError(
            f"method {method} is for several modalities with one label, and this data set has the "
            f"tasks {' and '.join(heads)}: choose another method"
        )
    return tuple(head for head in heads if head != "joint")
