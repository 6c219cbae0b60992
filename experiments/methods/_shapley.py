"""Shapley values: the fair shares of several players in what they are worth together."""

import itertools
import math
from collections.abc import Callable, Collection

import jax


def subsets(players: Collection[str]) -> list[frozenset[str]]:
    """Return all subsets of the players, the empty one and that of all included, small ones first.

    Examples:
      >>> [sorted(each) for each in subsets(["a", "b"])]
      [[], ['a'], ['b'], ['a', 'b']]
    """
    sizes = range(len(players) + 1)
    return [frozenset(each) for n in sizes for each in itertools.combinations(players, n)]


def shapley_values(
    players: Collection[str], worth: Callable[[frozenset[str]], jax.Array]
) -> dict[str, jax.Array]:
    """Return the Shapley value of each of M players.

    The share of player m is the sum over subsets S of the others of
    ``|S|! (M - |S| - 1)! / M! * (worth(S + m) - worth(S))`` (Shapley, 1953). The shares add up to
    ``worth(all) - worth(none)``.

    Args:
      players: The names of the players.
      worth: Function of a subset that returns its worth, an array. It is called once for each of
        the 2^M subsets.

    Returns:
      The value of each player, an array like the worths.

    Examples:
      >>> shapley_values(["left", "right", "none"], lambda s: float({"left", "right"} <= s))
      {'left': 0.5, 'right': 0.5, 'none': 0.0}
    """
    worths = {subset: worth(subset) for subset in subsets(players)}
    count = len(players)

    def share(player: str) -> jax.Array:
        shares = [
            (worths[others | {player}] - worths[others]) / (count * math.comb(count - 1, size))
            for others in worths
            if player not in others
            for size in [len(others)]
        ]
        return sum(shares[1:], shares[0])

    return {player: share(player) for player in players}
