"""Bytes of collectives, from hand-made and from compiled programs."""

import pytest

from benchmarks._collectives import Collective, bytes_moved, collectives


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
        ("replica_groups=[1,8]<=[8], use_global_device_ids=true", 8),
        ("replica_groups=mesh['x'=2,'y'=4] {'x'}, use_global_device_ids=true, to_apply=%add", 2),
        ("replica_groups=mesh['x'=2,'y'=4] {'y'}, dimensions={0}", 4),
        ("replica_groups=mesh['x'=2,'y'=4] {'y','x'}, to_apply=%add", 8),
        ("replica_groups=mesh['axis_0'=8,'axis_1'=4] {'axis_0':(2)4,'axis_1':(1)2}", 8),
        ("replica_groups=mesh['x'=2,'y'=4], device_ids=([4,2]T(1,0)) {'y'}", 4),
        ("replica_groups=mesh['x'=2,'y'=2], device_ids=(3,0,2,1) {'x'}", 2),
        ("replica_groups={}", 8),
        ("channel_id=1", 8),
    ],
)
def test_groups(groups, size):
    (found,) = collectives(line("f32[4]{0}", "all-reduce", groups), devices=8)
    assert found.group == size


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("replica_groups={{0,1,2},{3}}", "several sizes"),
        ("replica_groups={{0,1,...}}", "unknown way"),
        ("replica_groups=<0,1>", "unknown way"),
    ],
)
def test_groups_without_one_known_size_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        collectives(line("f32[4]{0}", "all-reduce", groups), devices=4)


LISTED = "replica_groups={{0,1,2,3},{4,5,6,7}}", "replica_groups={{0,4},{1,5},{2,6},{3,7}}"
IOTA = "replica_groups=[2,4]<=[8]", "replica_groups=[4,2]<=[2,4]T(1,0)"
MESH = "replica_groups=mesh['x'=2,'y'=4] {'y'}", "replica_groups=mesh['x'=2,'y'=4] {'x'}"


@pytest.mark.parametrize(("fours", "pairs"), [LISTED, IOTA, MESH])
def test_the_bytes_of_one_program_in_every_way_that_groups_are_written(fours, pairs):
    text = f"""HloModule jit_step, is_scheduled=true, num_partitions=8
ENTRY %main (p: f32[4,12]) -> f32[2,12] {{
  %a = f32[4,12]{{1,0}} all-reduce(%p), channel_id=1, {fours}, to_apply=%add
  %g = f32[4,4,12]{{2,1,0}} all-gather(%a), channel_id=2, {fours}, dimensions={{0}}
  %s = f32[2,12]{{1,0}} reduce-scatter(%a), channel_id=3, {pairs}, dimensions={{0}}, to_apply=%add
  ROOT %r = f32[2,12]{{1,0}} all-reduce(%s), channel_id=4, {pairs}, to_apply=%add
}}
"""
    expected = [
        ("all-reduce", 192, 4, 2 * 192 * 3 / 4),
        ("all-gather", 768, 4, 768 * 3 / 4),
        ("reduce-scatter", 192, 2, 192 / 2),
        ("all-reduce", 96, 2, 2 * 96 / 2),
    ]
    assert [(*found, found.moved) for found in collectives(text, devices=8)] == expected
    assert bytes_moved(text, devices=8) == 288 + 576 + 96 + 96


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
