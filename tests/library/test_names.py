"""The names that a user of the library sees."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import mmpareto_jax as mmp

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "mmpareto_jax",
    "mmpareto_jax.solvers",
    "mmpareto_jax.strategies",
    "mmpareto_jax.weightings",
}
MODULES = {name: module for name, module in sys.modules.items() if name.startswith("mmpareto_jax")}


def test_modules_are_private_but_for_the_packages():
    assert {name for name in MODULES if "._" not in name} == PACKAGES


def test_no_name_stands_for_a_module_and_something_else():
    for name, module in MODULES.items():
        parent, _, last = name.rpartition(".")
        if parent:
            assert getattr(MODULES[parent], last) is module


def test_the_packages_export_what_they_define_for_users():
    for package in PACKAGES:
        exported = MODULES[package].__all__
        assert sorted(exported) == list(exported)
        assert all(hasattr(MODULES[package], name) for name in exported)
    states = {
        value.__name__
        for name, module in MODULES.items()
        if ".weightings." in name
        for value in vars(module).values()
        if inspect.isclass(value) and value.__name__.endswith("State")
    }
    assert "DWAState" in states
    assert states <= set(mmp.weightings.__all__)


def test_a_star_import_gives_the_documented_names():
    code = "from mmpareto_jax import *; print(*sorted(n for n in dir() if not n.startswith('_')))"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout.split() == sorted(mmp.__all__)


def test_the_library_imports_none_of_the_experiments():
    for name, module in MODULES.items():
        source = Path(module.__file__).read_text()
        assert not re.search(r"^\s*(from|import) experiments", source, flags=re.MULTILINE), name


def test_importing_the_library_imports_jax_and_optax_only():
    program = """
import sys
import jax, optax
from optax.experimental import aggregating
before = set(sys.modules)
import mmpareto_jax
new = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(*sorted(new - {"jax", "jaxlib", "optax"}))
"""
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["mmpareto_jax"]
