"""Bytes of collectives, from hand-made and from compiled programs."""

import pytest

from experiments.bench.collectives import Collective, bytes_moved, collectives


def line(shape, operation, rest="replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add"):
    return f"ENTRY %main (p: f32[]) -> f32[] {{\n  %x.1 = {shape} {operation}(%p), {rest}\n}}\n"


@pytest.mark.parametrize(
    ("shape", "operation", "expected"),
    [
        ("f32[10,3]{1,0}", "all-reduce", Collective("all-reduce", 120, 4)),
        ("(f32[10]{0}, bf16[2,2]{1,0})", "all-reduce", Collective("all-reduce", 48, 4)),
        ("(f32[10]{0}, f32[])", "all-reduce-start", Collective("all-reduce", 44, 4)),
        ("f64[5]{0:T(256)}", "reduce-scatter", Collective("reduce-scatter", 160, 4)),
        ("(s8[8]{0}, s8[4]{0})", "reduce-scatter", Collective("reduce-scatter", 48, 4)),
        ("bf16[16]{0}", "all-gather", Collective("all-gather", 32, 4)),
        ("(f32[4]{0}, f32[16]{0})", "all-gather-start", Collective("all-gather", 64, 4)),
        (
            "((f32[4]{0}, u8[2,2]{1,0}), (f32[16]{0}, u8[8,2]{1,0}))",
            "all-gather-start",
            Collective("all-gather", 80, 4),
        ),
        ("(f32[2]{0}, f32[2]{0})", "all-to-all", Collective("all-to-all", 16, 4)),
        ("c64[3]{0}", "collective-permute", Collective("collective-permute", 24, 4)),
        (
            "(f32[3]{0}, f32[3]{0}, u32[], u32[])",
            "collective-permute-start",
            Collective("collective-permute", 12, 4),
        ),
        ("f8e4m3fn[7]{0}", "all-gather", Collective("all-gather", 7, 4)),
        ("s4[7]{0}", "all-gather", Collective("all-gather", 4, 4)),
        ("pred[7]{0}", "all-gather", Collective("all-gather", 7, 4)),
    ],
)
def test_shapes_and_kinds(shape, operation, expected):
    assert collectives(line(shape, operation), devices=8) == [expected]


@pytest.mark.parametrize(
    ("groups", "size"),
    [
        ("replica_groups={{0,1},{2,3}}", 2),
        ("replica_groups=[4,2]<=[8]", 2),
        ("replica_groups=[2,4]<=[4,2]T(1,0)", 4),
        ("replica_groups={}", 8),
        ("channel_id=1", 8),
    ],
)
def test_groups(groups, size):
    (found,) = collectives(line("f32[4]{0}", "all-reduce", groups), devices=8)
    assert found.group == size


def test_what_a_ring_moves():
    assert Collective("all-reduce", 80, 4).moved == 2 * 80 * 3 / 4
    assert Collective("reduce-scatter", 80, 4).moved == 80 * 3 / 4
    assert Collective("all-gather", 80, 4).moved == 80 * 3 / 4
    assert Collective("all-to-all", 80, 4).moved == 80 * 3 / 4
    assert Collective("collective-permute", 80, 4).moved == 80
    assert Collective("all-reduce", 80, 1).moved == 0


def test_the_end_of_an_asynchronous_collective_and_other_mentions_do_not_count():
    text = line("f32[4]{0}", "all-reduce-done") + "  %y = f32[4]{0} add(%all-reduce.3, %b)\n"
    assert collectives(text, devices=8) == []


def test_a_collective_in_a_loop_is_refused():
    text = """%body.1 (p: (f32[4])) -> (f32[4]) {
  %r = f32[4]{0} all-reduce(%p), replica_groups={}
}
ENTRY %main (p: f32[4]) -> f32[4] {
  %w = (f32[4]{0}) while(%t), condition=%cond.1, body=%body.1
}
"""
    with pytest.raises(ValueError, match=r"in the body of a loop, body\.1"):
        collectives(text, devices=8)


def test_no_collectives_move_nothing():
    assert bytes_moved("ENTRY %main (p: f32[]) -> f32[] {\n}\n", devices=8) == 0
