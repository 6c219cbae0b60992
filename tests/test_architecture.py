"""Which parts of the project may import which, and which files of tests there are."""

import ast
from pathlib import Path

import pytest

from mmpareto_jax import weightings

ROOT = Path(__file__).parents[1]

LIBRARY = {"mmpareto_jax"}
LEAVES = {"experiments.config", "experiments.errors", "experiments.markdown"}
PARTS = {"experiments.methods", "experiments.models", "experiments.tasks", "experiments.data"}
ENGINE = LIBRARY | LEAVES | PARTS | {"experiments.engine", "experiments.presets"}

ALLOWED = {
    "mmpareto_jax": LIBRARY,
    "experiments.config": LEAVES,
    "experiments.errors": LEAVES,
    "experiments.markdown": LEAVES,
    "experiments.data": LEAVES | {"experiments.data", "experiments.tasks"},
    "experiments.tasks": LIBRARY | LEAVES | {"experiments.tasks"},
    "experiments.models": LIBRARY | LEAVES | PARTS,
    "experiments.methods": LIBRARY | LEAVES | PARTS,
    "experiments.presets": LEAVES | PARTS,
    "experiments.engine": ENGINE,
    "experiments.command_line": {"experiments.engine", "experiments.errors"},
    "experiments.reports": ENGINE | {"experiments.reports"},
    "experiments.__main__": ENGINE | {"experiments.reports", "experiments.command_line"},
    "benchmarks": ENGINE | {"benchmarks", "experiments.command_line"},
}
"""By part of the project, the parts that it may import; the tests may import everything."""


def part(module):
    """The part of the project that a module belongs to, None for a library of others."""
    return next((name for name in ALLOWED if f"{module}.".startswith(f"{name}.")), None)


def imported(path):
    """Every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


FILES = [
    path
    for folder in ("mmpareto_jax", "experiments", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.stem != "__init__" or path.read_text()
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path):
    ours = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    theirs = {part(module) for module in imported(path)} - {None}
    assert theirs <= ALLOWED[ours], theirs - ALLOWED[ours]


def modules_of(folder):
    """The names of the modules of a package of the library, without their underscores."""
    names = {path.stem for path in (ROOT / "mmpareto_jax" / folder).glob("_*.py")}
    return {name.removeprefix("_") for name in names - {"__init__", "_weighting"}}


@pytest.mark.parametrize("name", sorted(modules_of("weightings")))
def test_every_weighting_has_a_file_of_tests(name):
    tested = "combinators" if name in weightings.COMBINATORS else name
    assert (ROOT / "tests" / "library" / "weightings" / f"test_{tested}.py").is_file()
