import os
from pathlib import Path

import numpy as np
import pytest
from prepared_sets import assert_same_splits

from experiments.data.media.standardization import moments
from experiments.data.miniatures import uci_mfeat as miniature
from experiments.data.sets import uci_mfeat
from experiments.data.storage import prepared
from experiments.errors import UserError

WIDTHS = miniature.WIDTHS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mfeat")
    miniature.write(folder)
    return folder


@pytest.fixture(scope="module")
def splits(folder):
    return uci_mfeat.arrays(folder)


@pytest.fixture
def damaged(folder, tmp_path):
    """A copy of links, one of which a test may replace."""
    for view in WIDTHS:
        (tmp_path / f"mfeat-{view}").symlink_to(folder / f"mfeat-{view}")

    def replace(view, contents):
        (tmp_path / f"mfeat-{view}").unlink()
        if contents is not None:
            (tmp_path / f"mfeat-{view}").write_bytes(contents)
        return tmp_path

    return replace


def test_shapes_and_types(splits):
    for split, count in (("train", 1500), ("test", 500)):
        shapes = {name: (a.shape, a.dtype.name) for name, a in splits[split].items()}
        expected = {view: ((count, width), "float32") for view, width in WIDTHS.items()}
        assert shapes == {**expected, "label": ((count,), "int32")}
        np.testing.assert_array_equal(np.bincount(splits[split]["label"]), [count // 10] * 10)


@pytest.mark.parametrize("view", WIDTHS)
def test_the_features_are_those_of_the_files_standardized_by_the_training_split(
    folder, splits, view
):
    raw = miniature.read(folder, view)
    labels = np.arange(2000) // 200
    train = splits["train"][view].astype(np.float64)
    np.testing.assert_allclose(train[:, :-1].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(train[:, :-1].std(0), 1, rtol=1e-5)
    # Standardized over both splits again, every row must be found in the file, once.
    both = np.concatenate([splits["train"][view], splits["test"][view]])
    both_labels = np.concatenate([splits["train"]["label"], splits["test"]["label"]])
    expected = (raw - raw.mean(0)) / np.where(raw.std(0) > 1e-9, raw.std(0), 1)
    rescaled = (both - both.mean(0)) / np.where(both.std(0) > 1e-6, both.std(0), 1)
    rows = [np.abs(expected[:, :6] - row[:6]).sum(1).argmin() for row in rescaled]
    assert sorted(rows) == list(range(2000))
    np.testing.assert_array_equal(labels[rows], both_labels)
    np.testing.assert_allclose(rescaled, expected[rows], atol=1e-4)


def test_the_samples_of_a_split_are_the_same_ones_in_every_view(tmp_path):
    # every feature is the number of the line, so that all views must agree
    for view, width in WIDTHS.items():
        lines = "\n".join(" ".join([str(line)] * width) for line in range(2000))
        (tmp_path / f"mfeat-{view}").write_text(lines)
    splits = uci_mfeat.arrays(tmp_path)
    for fields in splits.values():
        first = fields["fac"][:, 0]
        assert (np.diff(first) > 0).all()
        for view in WIDTHS:
            np.testing.assert_array_equal(fields[view], np.tile(first[:, None], WIDTHS[view]))
    assert not set(splits["train"]["fac"][:, 0]) & set(splits["test"]["fac"][:, 0])


def test_a_constant_feature_is_zero(splits):
    for fields in splits.values():
        for view in WIDTHS:
            assert (fields[view][:, -1] == 0).all()
            assert np.isfinite(fields[view]).all()


def test_the_same_at_every_call(folder, splits):
    assert_same_splits(uci_mfeat.arrays(str(folder)), splits)


def test_prepared_equals_in_memory(folder, splits, tmp_path):
    assert_same_splits(prepared.arrays(uci_mfeat.DATASET.recipe, tmp_path, folder), splits)
    assert_same_splits(prepared.arrays(uci_mfeat.DATASET.recipe, tmp_path), splits)


def edited(folder, view, edit):
    lines = (folder / f"mfeat-{view}").read_bytes().splitlines(keepends=True)
    return b"".join(edit(lines))


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda lines: lines[:-1], "1999 samples, not 2000"),
        (lambda lines: [*lines, lines[0]], "2001 samples"),
        (lambda lines: [], "0 samples"),
        (lambda lines: [*lines[:16], b"1 2 3\n", *lines[17:]], "sample 17 has 3 features, not 6"),
        (lambda lines: [*lines[:16], b"1 2 3 4 5 x\n", *lines[17:]], "'x'"),
        (lambda lines: [*lines[:16], b"1 2 3 4 5 nan\n", *lines[17:]], "sample 17 is not finite"),
        (lambda lines: [b"\xff\xfe", *lines], "ascii"),
    ],
)
def test_damaged_files_are_named(folder, damaged, edit, reason):
    contents = edited(folder, "mor", edit)
    with pytest.raises(UserError, match=reason) as error:
        uci_mfeat.arrays(damaged("mor", contents))
    assert "mfeat-mor" in str(error.value)
    assert "\n" not in str(error.value)


def test_blank_lines_do_not_matter(folder, damaged, splits):
    contents = edited(folder, "mor", lambda lines: [*lines, b"\n", b"  \n"])
    assert_same_splits(uci_mfeat.arrays(damaged("mor", contents)), splits)


def test_a_missing_file(damaged):
    with pytest.raises(UserError, match="mfeat-zer is missing"):
        uci_mfeat.arrays(damaged("zer", None))


def test_a_folder_in_the_place_of_a_file(damaged):
    folder = damaged("zer", None)
    (folder / "mfeat-zer").mkdir()
    with pytest.raises(UserError, match="mfeat-zer cannot be used"):
        uci_mfeat.arrays(folder)


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="--data-dir"):
        uci_mfeat.arrays(None)
    with pytest.raises(UserError, match="--data-dir"):
        prepared.arrays(uci_mfeat.DATASET.recipe, tmp_path)


def test_moments_of_rows_and_of_none():
    rows = np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32)
    rows[:, 2] = 0.1
    mean, deviation = moments(rows)
    np.testing.assert_allclose(mean, [np.mean(c) for c in rows.T.astype(np.float64)], rtol=1e-12)
    np.testing.assert_allclose(np.delete(deviation, 2), np.delete(rows.std(0), 2), rtol=1e-5)
    assert mean[2] == np.float32(0.1)
    assert deviation[2] == 1
    assert [list(part) for part in moments(rows[:0])] == [[0] * 4, [1] * 4]


@pytest.mark.skipif("MMPARETO_MFEAT" not in os.environ, reason="MMPARETO_MFEAT names no folder")
def test_the_real_files_tell_the_digits_apart():
    folder = Path(os.environ["MMPARETO_MFEAT"])
    splits = uci_mfeat.arrays(folder)
    train, test = splits["train"], splits["test"]
    # The classes would be at the level of chance, 0.1, were the samples not in class order.
    for view, least in {
        "fac": 0.9,
        "fou": 0.75,
        "kar": 0.9,
        "mor": 0.6,
        "pix": 0.9,
        "zer": 0.75,
    }.items():
        assert train[view].shape == (1500, WIDTHS[view])
        distances = (train[view] ** 2).sum(1) - 2 * test[view] @ train[view].T
        accuracy = (train["label"][distances.argmin(1)] == test["label"]).mean()
        assert accuracy > least, (view, accuracy)
    # The eight alone has two holes, by the first morphological feature.
    holes = miniature.read(folder, "mor")[:, 0].reshape(10, 200)
    assert (holes[8] == 2).mean() > 0.9
    assert (np.delete(holes, 8, axis=0) == 2).mean() < 0.02
