"""The benchmarks."""

import json

import jax
import jax.numpy as jnp
import numpy as np

from experiments import bench
from experiments.bench import integration, step
from experiments.bench.ratio import Ratio, times_in_turns


def test_flops_of_a_matrix_product_are_counted():
    left, right = jnp.ones((8, 16)), jnp.ones((16, 4))
    compiled = jax.jit(jnp.matmul).lower(left, right).compile()
    assert step.flops(compiled) == 2 * 8 * 16 * 4


def test_programs_take_turns():
    calls = []
    programs = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = times_in_turns(programs, rounds=2, calls=2)
    assert calls == list("aabb" * 3)
    assert {name: values.shape for name, values in times.items()} == {"a": (2,), "b": (2,)}


def test_the_mmpareto_step_takes_at_most_1_68_times_the_flops_of_the_uniform_step():
    values = step.measure(rounds=1)
    assert values["FLOPs of the step, MMPareto over uniform"] <= 1.68


def test_the_table_is_saved_as_it_is_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(integration, "SHAPE", (10, 10))
    monkeypatch.setattr(step, "measure", lambda rounds: {"FLOPs": 1.5})
    bench.main(tmp_path, rounds=2)
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out
    values = json.loads((tmp_path / "results.json").read_text())["values"]
    assert values["FLOPs"] == 1.5
    assert set(values["its Gramian over reading the gradients"]) == set(Ratio._fields)


def test_both_steps_start_alike(monkeypatch):
    """The two steps that are compared compute the same losses."""
    losses = {}

    def record(programs, rounds, calls):
        losses.update({name: program()[2] for name, program in programs.items()})
        return {name: np.ones(rounds) for name in programs}

    monkeypatch.setattr(step, "times_in_turns", record)
    step.measure(rounds=1)
    for head, value in losses["uniform"].items():
        np.testing.assert_allclose(losses["mmpareto"][head], value, rtol=1e-6)
