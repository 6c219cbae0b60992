"""One spelling everywhere: the American one."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Written in two parts, so that this file passes its own test.
BRITISH = [
    *("colo" + "ur", "behavio" + "ur", "neighbo" + "ur", "favo" + "ur", "cent" + r"re[sd]?\b"),
    *(
        rf"\b\w*{stem}" + "is(e|ed|es|ing|ation)" + r"\b"
        for stem in ("optim", "normal", "standard")
    ),
    *(
        rf"\b\w*{stem}" + "is(e|ed|es|ing|ation)" + r"\b"
        for stem in ("regular", "initial", "minim")
    ),
]


def tracked():
    """The files of text that git tracks, or those that would be, in a copy without git."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not in a git checkout")
    texts = (".py", ".md", ".toml", ".cff", ".yml", ".yaml", ".json", ".jsonl")
    return [ROOT / name for name in listed.stdout.splitlines() if name.endswith(texts)]


def test_the_spelling_is_american():
    pattern = re.compile("|".join(BRITISH), flags=re.IGNORECASE)
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path.exists()
        for match in pattern.finditer(path.read_text())
    }
    assert not found
