"""The archive of TorchJD's updates has the cases that the tests of each weighting read."""

from torchjd_golden import golden_cases

OF_EVERY_CASE = (
    "aligned_mtl",
    "cagrad",
    "config",
    "dualproj",
    "fairgrad_1",
    "fairgrad_2",
    "imtl_g",
    "mean",
    "nash_mtl",
    "sum",
    "upgrad",
)


def test_every_golden_method_has_cases():
    expected = dict.fromkeys(OF_EVERY_CASE, 17) | {
        "krum_0": 12,
        "trimmed_mean_1": 12,
        "pcgrad": 5,
        "gradvac_first_step": 5,
    }
    assert {method: len(golden_cases(method)) for method in expected} == expected
    for method in OF_EVERY_CASE:
        assert {len(jacobian) for _, jacobian, _ in golden_cases(method)} == {2, 3, 4, 6}
