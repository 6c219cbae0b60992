"""Count the bytes that the collectives of a compiled program move, from its HLO text."""

import math
import re
from typing import NamedTuple

ARRAY = re.compile(r"(pred|bf|[a-z])(\d*)(?:e\d\w*)?\[([\d,]*)\]")
INSTRUCTION = re.compile(
    r"^\s*(?:ROOT\s+)?%?\S+ = (?P<shape>.+?) "
    r"(?P<kind>all-reduce|reduce-scatter|all-gather|all-to-all|collective-permute)"
    r"(?P<start>-start)?\((?P<rest>.*)$"
)
GROUPS = re.compile(
    r"replica_groups=(?:"
    r"\{(?P<listed>(?:\{[\d,]+\},?)*)\}"  # {{0,1},{2,3}}; {} is one group of all devices
    r"|\[\d+,(?P<size>\d+)\]<="  # [groups,size]<=[2,2]T(1,0)
    r"|mesh\[(?P<mesh>[^\]]*)\][^{]*\{(?P<axes>[^}]*)\}"  # mesh['x'=2,'y'=4] {'x','y':(1)2}
    r")"
)
MESH_AXIS = re.compile(r"'([^']*)'=(\d+)")
GROUP_AXIS = re.compile(r"'([^']*)'(?::\(\d+\)(\d+))?")  # an axis, or a part of it and its size
COMPUTATION = re.compile(r"^(?:ENTRY )?%?(\S+) .*\{$")
LOOP = re.compile(r" while\(.*\bbody=%?([^,\s]+)")


class Collective(NamedTuple):
    """One instruction of a compiled program with which devices exchange data.

    Attributes:
      kind: Its name, such as "all-reduce".
      array_bytes: Size in bytes of the whole reduced or gathered array on one device.
      group: Number of devices that exchange data with each other.
    """

    kind: str
    array_bytes: int
    group: int

    @property
    def moved(self) -> float:
        """Return the bytes that each device sends if the collective runs as a ring.

        With b the size of the whole array and n devices, this is b (n - 1) / n for a
        reduce-scatter, an all-gather and an all-to-all; twice that for an all-reduce, which is a
        reduce-scatter and an all-gather; and b for a permutation.
        """
        share = (self.group - 1) / self.group
        match self.kind:
            case "collective-permute":
                return float(self.array_bytes)
            case "all-reduce":
                return 2 * share * self.array_bytes
            case _:
                return share * self.array_bytes


def collectives(text: str, devices: int) -> list[Collective]:
    """Return the collectives of a compiled program.

    Args:
      text: HLO of the program, from ``compiled.as_text()``.
      devices: Number of devices on which it runs.

    Returns:
      The collectives in the order of the text; each is there once.

    Raises:
      ValueError: If a collective is in the body of a loop, so that the number of its runs is not
        known, or if its groups of devices have several sizes or an unknown notation.
    """
    loops = set(LOOP.findall(text))
    found = []
    computation = ""
    for line in text.splitlines():
        if header := COMPUTATION.match(line):
            computation = header[1]
        if instruction := INSTRUCTION.match(line):
            if computation in loops:
                raise ValueError(f"{instruction['kind']} in the body of a loop, {computation}")
            found.append(_collective(instruction, devices))
    return found


def bytes_moved(text: str, devices: int) -> float:
    """Return the bytes that each device sends in all collectives of a program.

    Args:
      text: HLO of the program, from ``compiled.as_text()``.
      devices: Number of devices on which it runs.

    Raises:
      ValueError: As for :func:`collectives`.
    """
    return math.fsum(collective.moved for collective in collectives(text, devices))


def _collective(instruction: re.Match[str], devices: int) -> Collective:
    kind, rest = instruction["kind"], instruction["rest"]
    shape = instruction["shape"]
    if instruction["start"] and kind in ("all-gather", "collective-permute"):
        shape = _results(shape)
    size = sum(_array_bytes(*array) for array in ARRAY.findall(shape))
    group = _group(rest, devices)
    # The result of a reduce-scatter is only a shard of the array.
    return Collective(kind, size * group if kind == "reduce-scatter" else size, group)


def _results(shape: str) -> str:
    """Return the results, the second entry of the tuple shape of an asynchronous start.

    Example:
      >>> _results("(f32[2]{0}, f32[8]{0})")
      ' f32[8]{0}'
    """
    entries = []
    depth = start = 0
    for i, character in enumerate(shape):
        if character in "([{":
            depth += 1
            start = i + 1 if depth == 1 else start
        elif character in ")]}":
            depth -= 1
        if (character == "," and depth == 1) or depth == 0:
            entries.append(shape[start:i])
            start = i + 1
    return entries[1]


def _array_bytes(kind: str, bits: str, shape: str) -> int:
    """Return the bytes of an array, rounded up; numbers of four or two bits are packed.

    Args:
      kind: The letters of the array's type in HLO, such as "bf" of ``bf16[2,3]``.
      bits: The digits of the type, such as "16", empty for "pred".
      shape: The sizes of the axes, such as "2,3", empty for a scalar.

    Example:
      >>> _array_bytes("bf", "16", "2,3"), _array_bytes("pred", "", ""), _array_bytes("s", "4", "6")
      (12, 1, 3)
    """
    width = 8 if kind == "pred" else int(bits or 0)
    return math.ceil(width * math.prod(int(size) for size in shape.split(",") if size) / 8)


def _group(rest: str, devices: int) -> int:
    """Return the number of devices in a group, from the attributes of a collective.

    Args:
      rest: The text of the instruction after its opening parenthesis.
      devices: Number of devices of the program: the size of the group if none is written.

    Raises:
      ValueError: If the groups have several sizes or an unknown notation.

    Example:
      >>> _group("replica_groups={{0,1},{2,3}}", 4), _group("replica_groups=[1,4]<=[4]", 4)
      (2, 4)
      >>> _group("replica_groups=mesh['x'=2,'y'=8] {'x','y':(2)4}", 16)
      8
    """
    if "replica_groups=" not in rest:
        return devices
    groups = GROUPS.search(rest)
    if groups is None:
        raise ValueError(f"unknown way to write groups of devices: {rest}")
    if groups["size"]:
        return int(groups["size"])
    if groups["mesh"] is not None:
        sizes = dict(MESH_AXIS.findall(groups["mesh"]))
        axes = GROUP_AXIS.findall(groups["axes"])
        return math.prod(int(part or sizes[axis]) for axis, part in axes)
    if not groups["listed"]:
        return devices
    members = {group.count(",") + 1 for group in re.findall(r"\{(.*?)\}", groups["listed"])}
    if len(members) > 1:
        raise ValueError(f"groups of several sizes: {{{groups['listed']}}}")
    return members.pop()
