"""The command line of the benchmarks."""

import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import VERBS, main


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("step", ["--output", "--rounds"]),
        ("optimality", ["--output"]),
        ("weightings", ["--objectives", "--gramians", "--rounds"]),
    ],
)
def test_verbs_have_help(verb, words, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks", verb, "--help"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (0, None)
    text = capsys.readouterr().out
    assert f"usage: python -m benchmarks {verb}" in text
    assert all(word in text for word in words)


def test_every_file_is_a_verb():
    folder = Path(benchmarks.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert files - {"conftest"} == set(VERBS)


def test_an_unknown_verb_ends_with_status_2():
    outcome = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nothing"],
        cwd=Path(benchmarks.__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 2
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"peers"}))  # torch may not be installed
def test_a_file_in_the_place_of_the_output_is_refused_at_once(verb, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("jax.jit", lambda *_, **__: pytest.fail("work began"))
    monkeypatch.setattr(sys, "argv", ["benchmarks", verb, "--output", str(tmp_path / "file")])
    with pytest.raises(SystemExit) as end:
        main()
    message = f"error: {tmp_path / 'file'} is a file, not a folder: name another folder\n"
    assert (end.value.code, capsys.readouterr().err) == (2, message)
