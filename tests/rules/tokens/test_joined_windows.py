"""Which energy goes with which tokens, by hand. A device draws 300 W where nothing else is said."""

import pytest

from tests.rules.tokens.stage import CHAT, Device, Stage, instant, page
from wattledger.rules.state import State
from wattledger.rules.tokens.model import Role, Service, TokenKind, Withheld
from wattledger.rules.tokens.totals import Phase, Scope, ServiceTotal
from wattledger.rules.tokens.view import Per

OUTPUT = TokenKind.OUTPUT
P1, P2 = "10:1", "20:2"


def test_energy_is_that_between_the_reads_not_between_the_ticks() -> None:
    stage = Stage(Device("a"))
    stage.run(0, 3)
    stage.read(3.25, page(1000, running=1), process=P1)
    stage.run(3, 9)
    stage.read(9.75, page(1650, running=1), process=P1)
    stage.run(9, 11)
    # 6.5 s at 300 W, 100 tokens a second
    assert stage.phases()[-1] == (Phase.SERVING, 6.5, 1_950_000)
    assert stage.windows[-1].tokens == {"m": {OUTPUT: 650}}


def test_skewed_reads_give_the_exact_ratio_under_constant_power_and_rate() -> None:
    stage = Stage(Device("a"))
    read_at = 0.0
    for second in range(1, 200):
        while read_at < second:
            stage.read(read_at, page(5000 * read_at, running=4), process=P1)
            read_at += 3.7 + (second % 7) / 3
        stage.tick(second)
    for window in stage.windows[1:]:
        tokens = sum(window.tokens["m"].values())
        assert window.total_mj / 1000 / tokens == pytest.approx(0.06, rel=1.5 / tokens)
    assert stage.joules(Per.OUTPUT) == pytest.approx(0.06, rel=1e-5)
    assert stage.conserves()


def test_a_read_waits_until_its_energy_is_booked() -> None:
    stage = Stage(Device("a"))
    stage.read(1, page(0, running=1), process=P1)
    stage.run(0, 4)
    stage.read(4.5, page(100, running=1), process=P1)
    stage.book.settle(instant(4.9))
    assert len(stage.windows) == 1
    assert [window.phase for window in stage.tick(5)] == [Phase.SERVING]


def test_a_device_that_is_late_is_waited_for_five_seconds_and_then_goes_to_the_next_window() -> None:
    stage = Stage(Device("a"), Device("b"))
    stage.run(0, 10)
    stage.read(10, page(0, running=1), process=P1)
    stage.run(10, 20)
    stage.read(20.5, page(1000, running=1), process=P1)
    for second in range(21, 26):
        assert stage.tick(second, only="a") == []
    closed = stage.tick(26, only="a")
    # a: 10.5 s; b: 10 s
    assert [window.total_mj for window in closed] == [6_150_000]
    stage.read(30, page(2000, running=1), process=P1)
    stage.run(26, 31)
    # a: 9.5 s; b: 10 s of which half a second is late
    assert stage.windows[-1].total_mj == 5_850_000
    assert stage.windows[-1].phase is Phase.SERVING
    assert stage.conserves()


def test_one_part_over_many_reads_is_split_by_time() -> None:
    stage = Stage(Device("a"), Device("b"))
    stage.tick(10)
    for second in (10, 14, 18):
        stage.read(second, page(10 * second, running=1), process=P1)
    for second in range(11, 18):
        stage.tick(second, only="a")
    stage.tick(20)
    stage.read(20, page(200, running=1), process=P1)
    stage.tick(20.5)
    # at 14 b was waited for until 19, and 20 came first
    assert [(length, mj) for _, length, mj in stage.phases()[1:]] == [(4, 2_400_000), (4, 2_400_000), (2, 1_200_000)]


def test_four_devices_and_one_of_them_the_service_s_own() -> None:
    others = [Device(uuid, service="") for uuid in "bcd"]
    stage = Stage(Device("a"), *others)
    stage.run(0, 20)
    stage.read(10, page(0, running=1), process=P1)
    stage.read(20, page(1000, running=1), process=P1)
    stage.tick(21)
    assert stage.windows[-1].total_mj == 3_000_000, "a node's sum would be four times that"
    assert stage.joules(Per.OUTPUT) == 3.0
    assert stage.view().devices == 1


def test_a_long_prefill_is_served_and_a_pause_is_idle() -> None:
    stage = Stage(Device("a"))
    for second, tokens, running in ((10, 500, 1), (20, 500, 1), (30, 500, 0), (40, 500, 0), (50, 600, 1)):
        stage.read(second, page(tokens, running=running), process=P1)
    stage.devices[0].power_mw = 100_000
    stage.run(0, 51)
    assert [phase for phase, _, _ in stage.phases()] == [
        Phase.UNREAD,  # what the first page holds was counted before anyone looked
        Phase.SERVING,
        Phase.SERVING,  # somebody was served when it began
        Phase.IDLE,
        Phase.SERVING,
    ]
    assert stage.tokens() == {OUTPUT: 100}


def test_a_server_that_tells_no_requests_serves_while_its_devices_work() -> None:
    stage = Stage(Device("a"))
    stage.read(10, page(500), process=P1)
    stage.run(0, 15)
    stage.read(15, page(500), process=P1)
    stage.devices[0].state = State.HELD
    stage.run(15, 20)
    stage.read(20, page(500), process=P1)
    stage.tick(21)
    assert [phase for phase, _, _ in stage.phases()] == [Phase.UNREAD, Phase.SERVING, Phase.IDLE]
    assert [window.active_mj for window in stage.windows] == [3_000_000, 1_500_000, 0]


def test_windows_without_tokens_have_energy_and_no_ratio() -> None:
    stage = Stage(Device("a", state=State.HELD))
    for second in range(10, 110, 10):
        stage.read(second, page(500, running=0), process=P1)
    stage.run(0, 101)
    assert stage.kept["chat", "m"].total_mj == 27_000_000
    assert stage.kept["chat", "m"].active_mj == 0
    assert stage.view().ratios == ()
    assert stage.view().withheld is Withheld.NO_TOKENS
    assert stage.tokens() == {OUTPUT: 0}, "known, and none"


def test_a_failed_read_makes_no_window_and_the_counters_bridge_it() -> None:
    stage = Stage(Device("a"))
    stage.read(10, page(0, running=1), process=P1)
    for second in (15, 20, 25):
        stage.read(second, None)
    stage.read(30, page(2000, running=1), process=P1)
    stage.run(0, 31)
    assert stage.phases()[1:] == [(Phase.SERVING, 20, 6_000_000)]
    assert stage.tokens() == {OUTPUT: 2000}


def test_two_models_share_one_row_of_energy() -> None:
    stage = Stage(Device("a"))
    both = page(0, running=1)
    both.counts.update(page(0, model="n").counts)
    stage.read(10, both, process=P1)
    both = page(100, running=1)
    both.counts.update(page(900, model="n").counts)
    stage.read(20, both, process=P1)
    stage.run(0, 21)
    assert {key: (total.total_mj, total.tokens) for key, total in stage.kept.items()} == {
        ("chat", ""): (3_000_000, {}),
        ("chat", "m"): (0, {OUTPUT: 100}),
        ("chat", "n"): (0, {OUTPUT: 900}),
    }
    assert stage.book.energy_model("chat") == ""
    assert [
        (ratio.model, ratio.per, ratio.joules) for ratio in stage.view().ratios if ratio.scope is Scope.TOTAL
    ] == [("", Per.OUTPUT, 3.0)]


def test_the_energy_row_of_one_model_has_its_name_after_a_restart_of_the_agent_too() -> None:
    stage = Stage(Device("a"))
    stage.kept["chat", "m"] = ServiceTotal("chat", "m", total_mj=5, phases={Phase.IDLE: 5})
    stage.start_agent()
    assert stage.book.energy_model("chat") == "m"
    assert stage.book.energy_model("other") == ""


def test_a_server_that_comes_back_with_another_model_goes_on_in_another_row() -> None:
    stage = Stage(Device("a"))
    stage.read(10, page(0, running=1), process=P1, started=-5)
    stage.read(20, page(1000, running=1), process=P1, started=-5)
    stage.run(0, 21)
    stage.read(30, page(0, model="n", running=0), process=P2, started=25)
    stage.read(40, page(500, model="n", running=1), process=P2, started=25)
    stage.run(21, 41)
    assert stage.kept["chat", "m"].total_mj == 3_000_000
    assert stage.kept["chat", "n"].total_mj == 3_000_000
    assert {ratio.model: ratio.joules for ratio in stage.view().ratios} == {"n": 6.0}, "of m nothing is in it"


def test_prefill_and_decode_on_devices_of_their_own_are_measured() -> None:
    services = [
        Service("pre", "vllm", Role.PREFILL, CHAT.counter_class),
        Service("dec", "vllm", Role.DECODE, CHAT.counter_class),
    ]
    stage = Stage(Device("a", 400_000, service="pre"), Device("b", 200_000, service="dec"), services=services)
    for second in (10, 20, 30):
        stage.read(second, page(computed=8000 * second, running=1), process=P1, service="pre")
        stage.read(second, page(100 * second, prompt=8000 * second, running=1), process=P2, service="dec")
    stage.run(0, 31)
    assert {ratio.per: ratio.joules for ratio in stage.view("pre").ratios} == {Per.PREFILL: 0.05}
    assert {ratio.per: ratio.joules for ratio in stage.view("dec").ratios} == {Per.DECODE: 2.0}
    assert stage.conserves("pre")
    assert stage.conserves("dec")
