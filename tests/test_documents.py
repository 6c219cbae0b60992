"""The documents: their code runs and their numbers are those that the commands printed."""

import inspect
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import mmpareto_jax as mmp

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks_of(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


# The recipes of docs/usage.md continue the example of the README.
BLOCKS = blocks_of(README) + blocks_of((ROOT / "docs" / "usage.md").read_text())


@pytest.fixture
def batch():
    keys = jax.random.split(jax.random.key(0), 2)
    return {
        "a": jax.random.normal(keys[0], (16, 3)),
        "v": jax.random.normal(keys[1], (16, 5)),
        "y": jnp.linspace(-1, 1, 16)[:, None] * jnp.ones((1, 4)),
        "label": jnp.arange(16) % 4,
    }


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 130


def test_the_usage_example_is_short():
    assert len(BLOCKS[0].splitlines()) <= 25


def test_every_block_runs_in_order(batch, capsys):
    names = {}
    exec(BLOCKS[0], names)
    params = {
        "audio_net": jnp.ones((3, 8)) * 0.1,
        "visual_net": jnp.ones((5, 8)) * 0.1,
        "head": jax.random.normal(jax.random.key(2), (8, 4)),
    }
    opt_state = names["tx"].init(params)
    first = None
    for _ in range(200):
        params, opt_state, values = names["step"](params, opt_state, batch)
        first = first or values
    assert sum(values.values()) < sum(first.values())
    assert names["step"]._cache_size() == 1

    names["opt_state"] = opt_state
    exec(BLOCKS[1], names)
    assert capsys.readouterr().out.count("[") == 2

    assert len(BLOCKS) == 8
    for block in BLOCKS[2:]:
        exec(block, names)
    state, values = names["linen_step"](names["train_state"], batch)
    assert int(state.step) == 1
    assert set(values) == {"joint", "audio", "visual"}
    grads = mmp.stack_objectives(
        dict.fromkeys(values, names["train_state"].params), names["encoders"]
    )
    after = names["apply_with_losses"](names["train_state"], grads, values)
    expected = names["train_state"].apply_gradients(grads=grads)
    chex.assert_trees_all_equal(after, expected)


NNX_BLOCKS = [block for block in BLOCKS if "nnx" in block]


def functional_steps(names):
    """Parameters and the rest before each step and after the last, and the losses of each."""
    params, rest = names["nnx_params"], names["rest"]
    opt_state, values = names["tx"].init(params), None
    while True:
        batch = yield params, rest, values
        params, rest, opt_state, values = names["nnx_step"](params, rest, opt_state, batch)


def optimizer_steps(names):
    values = None
    while True:
        _, params, rest = nnx.split(names["model"], nnx.Param, ...)
        batch = yield jax.tree.map(jnp.copy, (params, rest, values))
        values = names["optimizer_step"](names["model"], names["optimizer"], batch)


@pytest.mark.parametrize("steps_of", [functional_steps, optimizer_steps])
@pytest.mark.usefixtures("optax_promotes")
def test_the_nnx_recipe_moves_statistics_and_keys_and_trains_the_rest(batch, steps_of):
    names = {}
    exec(BLOCKS[0], names)
    # A decay that would draw to zero whatever it is given.
    names["tx"] = optax.chain(mmp.mmpareto(names["encoders"]), optax.adamw(1e-2, weight_decay=0.5))
    for block in NNX_BLOCKS:
        exec(block, names)
    steps, seen, mean, variance = steps_of(names), [], 0.0, 1.0
    params, rest, _ = first, *_ = next(steps)
    for _ in range(20):
        linear = params["audio_net"]["linear"]
        kernel, bias = (np.asarray(linear[name][...], float) for name in ("kernel", "bias"))
        hidden = np.asarray(batch["a"], float) @ kernel + bias
        mean = 0.99 * mean + 0.01 * hidden.mean(axis=0)
        variance = 0.99 * variance + 0.01 * hidden.var(axis=0)
        params, rest, values = steps.send(batch)
        seen.append(float(sum(values.values())))
    norm = rest["audio_net"]["norm"]
    np.testing.assert_allclose(norm["mean"][...], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm["var"][...], variance, rtol=1e-4)
    assert int(rest["visual_net"]["dropout"]["rngs"]["count"][...]) == 20
    assert np.mean(seen[-5:]) < np.mean(seen[:5])
    for new, old in zip(jax.tree.leaves(params), jax.tree.leaves(first), strict=True):
        assert np.any(np.asarray(new) != np.asarray(old))


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def found_in_documents(pattern, documents=DOCUMENTS):
    return [
        pytest.param(document, found, id=f"{document.relative_to(ROOT)}-{found}")
        for document in documents
        for found in re.findall(pattern, document.read_text())
    ]


@pytest.mark.parametrize(("document", "path"), found_in_documents(r"<!-- (results/\S+\.md) -->"))
def test_tables_are_what_the_commands_printed(document, path):
    table = (ROOT / path).read_text()
    assert f"<!-- {path} -->\n{table}<!-- end -->" in document.read_text()


@pytest.mark.parametrize("dataset", ["cg-mnist", "multi-mnist", "uci-mfeat"])
def test_accuracies_on_real_files_are_those_of_the_evaluation(dataset):
    evaluation = json.loads((ROOT / "results" / dataset / "mmpareto-evaluation.json").read_text())
    rows = (ROOT / "docs" / "data.md").read_text().splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `{dataset}` |") and row.count("|") == 4]
    for head, scores in evaluation.items():
        assert f"{head} {100 * scores['accuracy']:.2f}" in row


NUMBER = re.compile(r"(?<![\w.=])\d[\d,]*\.\d+(?:e[+-]?\d+)?(?![\w.]*\d)")

PYTHON = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
GIVEN = {
    "README.md": {PYTHON.removeprefix(">=")},
    "data.md": {"22.05", "4.503877", "5.141276", "0.03", "8.5"},  # the sets' own
    "methods.md": {"1.2e-7", "2.2e-16"},  # the precisions of float32 and float64
    "protocol.md": {"0.9", "0.02", "1.5", "3.3"},  # it comes before the numbers
}
"""What documents state that no command of ours printed."""


def prose(document):
    """A document without code, tables that are compared as a whole, and where links lead."""
    text = document.read_text()
    for left_out in (r"```.*?```", r"<!-- results/.*?<!-- end -->", r"`[^`]*`", r"\]\([^)]*\)"):
        text = re.sub(left_out, "]", text, flags=re.DOTALL)
    return text


def slug(heading):
    """The part of a link that leads to a heading."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def sections(text):
    """The sections of a page of results, by slug of their headings."""
    return {slug(part.split("\n")[0]): part for part in re.split(r"(?m)^## ", text)[1:]}


def printed(path, section=""):
    """The numbers in a file of results, or in a section of it; of an evaluation, in percent."""
    if path.suffix == ".md":
        text = path.read_text()
        return set(NUMBER.findall(sections(text)[section] if section else text))
    heads = json.loads(path.read_text()).values()
    return {f"{100 * score:.2f}" for scores in heads for score in scores.values()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_number_is_in_the_results(document):
    files = [*ROOT.glob("results/**/*.md"), *ROOT.glob("results/*/*evaluation.json")]
    known = set.union(*(printed(path) for path in files)) | GIVEN.get(document.name, set())
    assert [number for number in NUMBER.findall(prose(document)) if number not in known] == []


SECTIONS = re.split(r"(?m)^## ", (ROOT / "docs" / "results.md").read_text())[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_the_numbers_of_a_claim_are_in_the_tables_that_it_names(section):
    links = re.findall(r"\]\(\.\./(results/[^)#]+\.md)#([^)]+)\)", section)
    known = set().union(*(printed(ROOT / path, slug) for path, slug in links))
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", section)
    assert [number for number in NUMBER.findall(text) if number not in known] == []


@pytest.mark.parametrize(("preset", "seeds"), [("quick", 5), ("paper", 3)])
def test_the_report_is_what_the_records_say(preset, seeds, tmp_path, monkeypatch):
    from experiments.reports import page
    from experiments.reports.archive import Places
    from experiments.reports.paper import verbs
    from experiments.reports.paper.exhibit import Scope

    committed = ROOT / "results" / "paper" / preset
    rebuilt = tmp_path / "results" / "paper" / preset
    rebuilt.mkdir(parents=True)
    for records in committed.glob("*.jsonl"):
        shutil.copy(records, rebuilt)
    monkeypatch.chdir(tmp_path)  # the page's links are from where it lies
    verbs.report(Scope(preset, seeds), Places(results_dir=Path("results", "paper")))
    text = (committed / "report.md").read_text()
    assert (rebuilt / "report.md").read_text() == text
    assert (rebuilt / "report.html").read_text() == page.html(text)
    pictures = {path.name for path in committed.glob("*.png")}
    assert {path.name for path in rebuilt.glob("*.png")} == pictures
    assert set(re.findall(r"\]\((figure-[^)]+)\)", text)) == pictures


def test_few_files_are_kept_as_results():
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not in a checkout of git")
    listed = subprocess.run(
        [git, "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 0 < len(listed.stdout.splitlines()) <= 60


LINKED = [*DOCUMENTS, ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md"]


@pytest.mark.parametrize(("document", "path"), found_in_documents(r"\]\((?!http)([^)]+)\)", LINKED))
def test_links_lead_to_files(document, path):
    file, _, section = path.partition("#")
    target = document.parent / file if file else document
    assert target.exists()
    headings = re.findall(r"(?m)^#+ (.*)", target.read_text()) if section else []
    assert not section or section in map(slug, headings)


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split()
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert sorted(re.findall(r"^make (\S+)", shown, flags=re.MULTILINE)) == sorted(targets)


def test_the_citation_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {project['version']}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation


def test_the_methods_are_those_of_the_library():
    section = README.split("## Other methods")[1].split("\n## ")[0]
    names = set(re.findall(r"`([a-z_]+)`", section))
    methods = {name for name, _ in inspect.getmembers(mmp.weightings, inspect.isfunction)}
    assert names == methods - {"mmpareto", *mmp.weightings.COMBINATORS}


def first_cells(document, heading):
    """The names in the rows of the table whose first line starts so, and the rows' other cells."""
    table = (ROOT / document).read_text().split(f"\n{heading}")[1].split("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {name.strip("`"): cells for name, *cells in rows}


def test_the_page_of_data_sets_lists_each_with_its_model():
    from experiments.data import DATASETS

    listed = first_cells("docs/data.md", "| name | inputs of a sample ")
    models = {name: cells[-1].strip("`") for name, cells in listed.items()}
    assert models == {name: dataset.model for name, dataset in DATASETS.items()}


def test_the_page_of_training_methods_lists_those_that_are_no_rivals():
    from experiments.methods import BALANCING

    listed = first_cells("docs/training-methods.md", "| method | what it does ")
    assert set(listed) == {"joint", "uniform", "mmpareto", *BALANCING}


def test_the_method_of_the_guide_is_short_and_trains(monkeypatch):
    from experiments import data, methods
    from experiments.config import Config, Optimization
    from experiments.engine import program

    (block,) = blocks_of((ROOT / "docs" / "adding-a-method.md").read_text())
    assert len(block.splitlines()) <= 40
    names = {}
    exec(block, names)
    monkeypatch.setitem(methods.METHODS, "progress", names["progress"])
    config = Config(
        method="progress", options=("power=2.0",), optimization=Optimization(batch_size=320)
    )
    compiled = program.build(config, data.load("cg-digits"))
    state = compiled.initial_state(0)
    first, second = compiled.feed.training(state.key, range(2))
    state, metrics = compiled.step(state, first)
    for head, loss in metrics["loss"].items():
        np.testing.assert_allclose(state.method[head], loss, rtol=1e-6)
    state, later = compiled.step(state, second)
    for head, loss in metrics["loss"].items():
        np.testing.assert_allclose(state.method[head], loss, rtol=1e-6)
    assert later["loss"].keys() == metrics["loss"].keys()
