"""Our step beside those of the torch libraries."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks import peers
from benchmarks._problems import audio_video
from experiments.errors import UserError

GOLDEN = Path(__file__).parents[1] / "golden" / "reference.npz"

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torchjd") is None, reason="needs TorchJD: pip install '.[peers]'"
)


def test_without_torch_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs torch: pip install '\.\[peers\]'") as error:
        peers.main(peers.Protocol(), tmp_path)
    assert "\n" not in str(error.value)


def test_steps_are_over_the_plain_step_of_their_own_framework():
    times = {
        "ours, uniform": np.array([1.0, 1.0]),
        "ours, MMPareto, stacked": np.array([1.5, 1.7]),
        "torch": np.array([2.0, 2.0]),
        "released rule": np.array([6.0, 8.0]),
    }
    text = peers.step_table(times)
    assert "| ours, MMPareto, stacked | 1.60 (1.50 to 1.70) | 1600 (1500 to 1700) |" in text
    assert "| released rule | 3.50 (3.00 to 4.00) | 7000 (6000 to 8000) |" in text
    assert "| torch | – | 2000 (2000 to 2000) |" in text


def test_the_integration_is_over_both_streams():
    times = {
        "ours": np.array([0.06]),
        "read": np.array([0.02]),
        "read and write": np.array([0.02]),
        "released rule": np.array([1.2]),
    }
    text = peers.integration_table(times)
    assert "| released rule over ours | 20.00 (20.00 to 20.00) |" in text
    assert "| ours over the streaming floor | 1.50 (1.50 to 1.50) |" in text


@needs_torch
@pytest.mark.filterwarnings("default")
def test_the_torch_network_has_our_parameters():
    from benchmarks._problems.torch_audio_video import LateFusion, batch_like

    shapes = {"audio": (2, 32, 32, 1), "video": (2, 2, 32, 32, 3)}
    problem = audio_video.problem(shapes)
    model = LateFusion()
    ours = sum(leaf.size for leaf in jax.tree.leaves(problem.params))
    assert sum(tensor.numel() for tensor in model.parameters()) == ours
    losses = model.losses(batch_like(jax.tree.map(np.asarray, problem.batch)))
    assert set(losses) == {"joint", "audio", "video"}


@needs_torch
@pytest.mark.filterwarnings("default")
def test_the_rule_is_that_of_the_released_code():
    import torch

    from benchmarks._problems import torch_released

    with np.load(GOLDEN) as golden:
        cases = sorted({key.split("/")[0] for key in golden if key.startswith("official_")})
        assert cases
        for case in cases:
            found = {
                part: {
                    key.split("/", 2)[2]: torch.from_numpy(golden[key])
                    for key in golden
                    if key.startswith(f"{case}/{part}/")
                }
                for part in ("gm", "gu", "update")
            }
            updates = torch_released.integrate(found["gm"], found["gu"])
            for key, expected in found["update"].items():
                np.testing.assert_allclose(updates[key], expected, rtol=1e-6, atol=1e-12)


@needs_torch
@pytest.mark.filterwarnings("default")
def test_every_program_takes_steps(monkeypatch):
    from benchmarks._problems import torch_audio_video, torch_training

    monkeypatch.setattr(torch_audio_video, "WIDTHS", (4, 4, 4, 4))
    shapes = {"audio": (2, 16, 16, 1), "video": (2, 1, 16, 16, 3)}
    batch = audio_video.problem(shapes).batch
    programs = torch_training.programs(
        torch_audio_video.batch_like(jax.tree.map(np.asarray, batch))
    )
    for program in programs.values():
        for _ in range(2):
            program()
