"""Bytes that data-parallel steps exchange."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import virtual_devices

from benchmarks import communication

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json
import jax, jax.numpy as jnp
from jax.sharding import PartitionSpec as P
from benchmarks._collectives import collectives

mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
lax = jax.lax
CASES = {
    "psum": lambda a: lax.psum(a, "x"),
    "psum of both": lambda a: lax.psum(a, ("x", "y")),
    "psum_scatter": lambda a: lax.psum_scatter(a, "x", tiled=True),
    "all_gather": lambda a: lax.all_gather(a, "y", tiled=True),
    "all_to_all": lambda a: lax.all_to_all(a.reshape(4, -1), "x", 0, 0, tiled=True),
    "ppermute": lambda a: lax.ppermute(a, "x", [(0, 1), (1, 0)]),
}
found = {}
for name, case in CASES.items():
    mapped = jax.shard_map(case, mesh=mesh, in_specs=P(), out_specs=P(), check_vma=False)
    text = jax.jit(mapped).lower(jnp.ones(48)).compile().as_text()
    found[name] = [[*each, each.moved] for each in collectives(text, 8)]
print(json.dumps(found))
"""


def in_a_process(*arguments, **variables):
    result = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | virtual_devices(8) | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def compiled():
    return in_a_process("-c", PROGRAM)


# 48 numbers of 4 bytes.
@pytest.mark.parametrize(
    ("case", "kind", "size", "group", "moved"),
    [
        ("psum", "all-reduce", 192, 4, 288),
        ("psum of both", "all-reduce", 192, 8, 336),
        ("psum_scatter", "reduce-scatter", 192, 4, 144),
        ("all_gather", "all-gather", 384, 2, 192),
        ("all_to_all", "all-to-all", 192, 4, 144),
        ("ppermute", "collective-permute", 192, 8, 192),
    ],
)
def test_collectives_of_compiled_programs(compiled, case, kind, size, group, moved):
    assert compiled[case] == [[kind, size, group, moved]]


def test_the_ratios_are_over_the_uniform_step():
    steps = {name: {"bytes": 3e6, "by kind": {}} for name in communication.NAMES}
    steps["uniform"] = {"bytes": 2e6, "by kind": {}, "deviation": 1e-9}
    text = communication.markdown([{"devices": 8, "steps": steps}])
    assert "| 8 | 2.0 MB | 1.500 | 1.500 | 1.500 | 1.500 |" in text
    assert "on 8 devices" in text
    assert "uniform 1e-09" in text


def test_the_saved_bytes_reach_their_aims():
    found = json.loads((ROOT / "results/bench-communication/results.json").read_text())
    assert [mesh["devices"] for mesh in found["meshes"]] == [8, 64, 256]
    for mesh in found["meshes"]:
        uniform = mesh["steps"]["uniform"]["bytes"]
        assert mesh["steps"]["exact on shards"]["bytes"] <= 1.52 * uniform
        assert mesh["steps"]["features"]["bytes"] <= 1.02 * uniform
    for step in found["meshes"][0]["steps"].values():
        assert step["deviation"] <= 1e-10


@pytest.mark.slow
def test_eight_devices_take_the_steps_of_one():
    # Flax's BatchNorm promotes in float64.
    report = in_a_process(
        "-m", "benchmarks._problems.data_parallel", JAX_NUMPY_DTYPE_PROMOTION="standard"
    )
    assert all(step["deviation"] <= 1e-10 for step in report["steps"].values())
