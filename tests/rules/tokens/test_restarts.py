"""Servers that start, restart, reset and go, agents that do, and what is counted then: nothing twice."""

from dataclasses import replace

import pytest

from tests.rules.tokens.stage import CHAT, Device, Stage, instant, page
from wattledger.rules.state import State
from wattledger.rules.tokens.model import Role, TokenKind, Withheld
from wattledger.rules.tokens.totals import Phase, ServiceTotal
from wattledger.rules.tokens.view import Per

OUTPUT = TokenKind.OUTPUT
P1, P2 = "10:1", "20:2"
WATT_SECOND = 1000


def served_until(seconds: int) -> Stage:
    """Give a server that has made 100 tokens a second, read every ten seconds up to that moment."""
    stage = Stage(Device("a"))
    for second in range(10, seconds + 1, 10):
        stage.read(second, page(100 * second, running=1), process=P1, started=-50)
    stage.run(0, seconds + 1)
    return stage


def test_loading_a_model_is_kept_apart_from_serving() -> None:
    stage = Stage(Device("a"))
    stage.run(0, 10)
    for second in range(20, 80, 10):
        stage.read(second, None)
    stage.read(80, page(0, running=0), process=P1, started=12)
    stage.read(90, page(0, running=0), process=P1, started=12)
    stage.read(100, page(500, running=1), process=P1, started=12)
    stage.run(10, 101)
    assert stage.phases() == [
        (Phase.UNREAD, 12, 12 * 300 * WATT_SECOND),
        (Phase.STARTING, 68, 68 * 300 * WATT_SECOND),
        (Phase.STARTING, 10, 3_000_000),
        (Phase.SERVING, 10, 3_000_000),
    ]
    assert stage.kept["chat", "m"].total_mj == 3_000_000
    assert stage.joules(Per.OUTPUT) == 6.0
    assert stage.conserves()


def test_a_restart_amid_a_window_counts_nothing_twice_and_no_ratio_jumps() -> None:
    stage = served_until(100)
    before = stage.joules(Per.OUTPUT)
    # it dies at 104 and begins at 106: what it made after 100 is not known
    stage.read(110, page(400, running=1), process=P2, started=106)
    stage.read(120, page(1400, running=1), process=P2, started=106)
    stage.run(101, 121)
    assert stage.phases()[-3:] == [
        (Phase.RESTART, 6, 1_800_000),
        (Phase.SERVING, 4, 1_200_000),
        (Phase.SERVING, 10, 3_000_000),
    ]
    assert stage.tokens() == {OUTPUT: 9000 + 400 + 1000}
    assert before == stage.joules(Per.OUTPUT) == 3.0
    assert stage.kept["chat", "m"].phases[Phase.RESTART] == 1_800_000
    assert stage.conserves()


def test_tokens_of_a_start_that_was_waited_for_go_with_the_energy_since_it_answers() -> None:
    stage = served_until(100)
    for second in range(110, 200, 10):
        stage.read(second, None)
    stage.read(200, page(700, running=1), process=P2, started=106)
    stage.run(101, 201)
    assert stage.phases()[-3:] == [
        (Phase.RESTART, 6, 1_800_000),
        (Phase.STARTING, 84, 84 * 300 * WATT_SECOND),
        (Phase.SERVING, 10, 3_000_000),
    ]
    assert stage.windows[-1].tokens == {"m": {OUTPUT: 700}}


def test_devices_may_be_let_go_while_a_server_restarts() -> None:
    stage = served_until(100)
    for second in range(110, 200, 10):
        stage.read(second, None)
    stage.read(200, page(700, running=1), process=P2, started=106)
    stage.devices[0].booked = instant(112)  # a hole of eleven seconds
    stage.run(112, 201)
    assert [phase for phase, _, _ in stage.phases()[-3:]] == [Phase.RESTART, Phase.STARTING, Phase.SERVING]


def test_one_failure_is_no_proof_that_a_server_did_not_serve_before() -> None:
    stage = served_until(100)
    stage.read(190, None)
    stage.read(200, page(9000, running=1), process=P2, started=106)
    stage.run(101, 201)
    assert [phase for phase, _, _ in stage.phases()[-2:]] == [Phase.RESTART, Phase.UNREAD]
    assert stage.tokens() == {OUTPUT: 9000}


def test_another_process_without_a_start_that_has_counted_nothing_yet() -> None:
    stage = served_until(100)
    stage.read(110, page(0, running=0), process=P2)
    stage.run(101, 111)
    assert stage.phases()[-1] == (Phase.RESTART, 10, 3_000_000)


def test_a_long_start_that_nobody_waited_for_cannot_be_told_from_serving() -> None:
    stage = served_until(100)
    stage.read(180, page(700, running=1), process=P2, started=106)
    stage.read(190, page(1700, running=1), process=P2, started=106)
    stage.run(101, 191)
    assert [phase for phase, _, _ in stage.phases()[-3:]] == [Phase.RESTART, Phase.UNREAD, Phase.SERVING]
    assert stage.tokens() == {OUTPUT: 9000 + 1000}
    assert stage.view().withheld is Withheld.COVERAGE


def test_tokens_from_before_its_devices_were_known_are_not_counted() -> None:
    stage = Stage(Device("a", service=""))
    stage.run(0, 40)
    stage.devices[0].service = "chat"  # it was found out at 40
    stage.read(41, page(2000, running=1), process=P1, started=20)
    stage.read(51, page(3000, running=1), process=P1, started=20)
    stage.run(40, 52)
    assert stage.phases() == [(Phase.UNREAD, 1, 300_000), (Phase.SERVING, 10, 3_000_000)]
    assert stage.joules(Per.OUTPUT) == 3.0


def test_devices_that_are_known_amid_a_window_break_it() -> None:
    stage = Stage(Device("a", service=""))
    for second in (10, 20, 30, 40):
        stage.read(second, page(100 * second, running=1), process=P1)
    stage.run(0, 25)
    stage.devices[0].service = "chat"
    stage.run(25, 41)
    assert stage.phases()[-2:] == [(Phase.UNREAD, 10, 1_500_000), (Phase.SERVING, 10, 3_000_000)]
    assert stage.joules(Per.OUTPUT) == 3.0, "tokens before that are in no ratio"


def test_tokens_whose_energy_goes_to_others_are_not_counted() -> None:
    stage = served_until(50)
    stage.devices[0].service = ""  # its processes cannot be seen any more
    for second in (60, 70, 80):
        stage.read(second, page(100 * second, running=1), process=P1, started=-50)
    stage.run(51, 81)
    assert stage.tokens() == {OUTPUT: 4000}
    assert stage.joules(Per.OUTPUT) == 3.0


def test_the_first_page_of_an_agent_is_a_base_and_nothing_is_counted_twice() -> None:
    stage = served_until(100)
    stage.start_agent()
    stage.read(110, page(11_000, running=1), process=P1, started=-50)
    stage.read(120, page(12_000, running=1), process=P1, started=-50)
    stage.run(101, 121)
    assert stage.tokens() == {OUTPUT: 9000 + 1000}
    assert stage.kept["chat", "m"].total_mj == 30_000_000
    assert [phase for phase, _, _ in stage.phases()[-2:]] == [Phase.UNREAD, Phase.SERVING]


def test_what_an_agent_before_may_have_counted_is_not_counted() -> None:
    stage = Stage(Device("a"))
    stage.run(0, 100)
    stage.read(100.5, page(50, running=1), process=P1, started=99.5)
    stage.run(100, 101)
    assert stage.tokens() == {OUTPUT: 50}
    stage.start_agent()
    stage.read(103, page(300, running=1), process=P1, started=99.5)
    stage.run(101, 104)
    assert stage.tokens() == {OUTPUT: 50}


def test_an_agent_that_comes_while_a_model_loads_takes_it_for_that() -> None:
    stage = Stage(Device("a"))
    stage.read(10, page(0, running=0), process=P1, started=-50)
    stage.run(0, 11)
    assert stage.phases() == [(Phase.STARTING, 10, 3_000_000)]


@pytest.mark.parametrize("process", [P1, ""])
def test_a_counter_that_falls(process: str) -> None:
    stage = Stage(Device("a"))
    for second, tokens in ((10, 5000), (20, 6000), (30, 200), (40, 1200)):
        stage.read(second, page(tokens, running=1), process=process)
    stage.run(0, 41)
    assert stage.tokens() == {OUTPUT: 1000 + 0 + 1000}
    if process:
        assert [phase for phase, _, _ in stage.phases()] == [Phase.UNREAD, *[Phase.SERVING] * 3]
        assert [window.lossy for window in stage.windows] == [False, False, True, False]
        assert stage.view().coverage == 2 / 3
    else:
        assert [phase for phase, _, _ in stage.phases()] == [
            Phase.UNREAD, Phase.SERVING, Phase.RESTART, Phase.SERVING,
        ]  # fmt: skip
    assert stage.view().withheld is Withheld.COVERAGE


def test_another_process_that_began_before_the_last_page_took_over_and_is_a_base() -> None:
    stage = served_until(50)
    stage.read(60, page(90_000, running=1), process=P2, started=45)
    stage.read(70, page(91_000, running=1), process=P2, started=45)
    stage.run(51, 71)
    assert stage.tokens() == {OUTPUT: 4000 + 1000}
    assert [phase for phase, _, _ in stage.phases()[-2:]] == [Phase.RESTART, Phase.SERVING]


def test_a_process_that_gets_its_name_later_is_the_same() -> None:
    stage = Stage(Device("a"))
    stage.read(10, page(1000, running=1))
    stage.read(20, page(2000, running=1), process=P1, started=5)
    stage.read(30, page(3000, running=1))
    stage.run(0, 31)
    assert stage.tokens() == {OUTPUT: 2000}


def test_time_that_nobody_looked_at_breaks_the_window() -> None:
    stage = served_until(50)
    stage.devices[0].state = State.UNOBSERVED
    stage.read(63, page(6300, running=1), process=P1, started=-50)
    stage.tick(62)
    stage.devices[0].state = State.ACTIVE
    stage.read(70, page(7000, running=1), process=P1, started=-50)
    stage.run(62, 71)
    assert stage.phases()[-2:] == [(Phase.UNREAD, 13, 3_900_000), (Phase.SERVING, 7, 2_100_000)]
    assert stage.tokens() == {OUTPUT: 4000 + 700}


def test_one_of_several_devices_that_nobody_looked_at_breaks_the_window() -> None:
    stage = Stage(Device("a"), Device("b"))
    for second in (10, 20, 30):
        stage.read(second, page(100 * second, running=1), process=P1)
    stage.run(0, 22)
    device = stage.devices[1]
    device.state, device.service = State.UNOBSERVED, ""
    stage.tick(25)
    device.state, device.service = State.ACTIVE, "chat"
    stage.run(25, 31)
    assert [phase for phase, _, _ in stage.phases()] == [Phase.UNREAD, Phase.SERVING, Phase.UNREAD]


def test_a_device_that_is_not_booked_for_long_breaks_the_window() -> None:
    stage = served_until(50)
    stage.devices[0].booked = instant(62)
    stage.read(63, page(6300, running=1), process=P1, started=-50)
    stage.run(62, 64)
    assert stage.phases()[-1][0] is Phase.UNREAD


def test_a_device_without_energy_breaks_every_window() -> None:
    stage = Stage(Device("a"), Device("b", 0))
    for second in range(10, 110, 10):
        stage.read(second, page(100 * second, running=1), process=P1)
    stage.run(0, 101)
    assert {phase for phase, _, _ in stage.phases()[2:]} == {Phase.UNREAD}, "a board that draws nothing is not read"
    assert stage.view().ratios == ()


def test_a_service_that_is_gone_is_closed_and_can_come_back() -> None:
    stage = served_until(50)
    stage.devices[0].service = ""
    for second in range(60, 140, 10):
        stage.read(second, None)
    stage.run(51, 130)
    assert stage.phases()[-1][0] is Phase.RESTART
    assert stage.phases()[-1][2] == 300_000
    assert stage.book.pending_mj("chat") == 0
    assert stage.conserves()
    stage.devices[0].service = "chat"
    stage.run(130, 140)
    stage.read(140, page(0, running=0), process=P2, started=129)
    stage.read(150, page(700, running=1), process=P2, started=129)
    stage.run(140, 151)
    assert [phase for phase, _, _ in stage.phases()[-2:]] == [Phase.STARTING, Phase.SERVING]
    assert stage.tokens() == {OUTPUT: 4000 + 700}


def test_a_service_that_is_listed_no_more_leaves_its_totals_behind() -> None:
    stage = served_until(50)
    stage.devices[0].service = ""
    stage.book.set_services(())
    stage.run(51, 130)
    assert stage.book.views() == ()
    assert stage.book._desks == {}
    assert [total.tokens for total in stage.book.totals()] == [{OUTPUT: 4000}]
    assert stage.conserves()


def test_a_page_that_fails_for_ten_minutes_is_waited_for_no_more() -> None:
    stage = served_until(50)
    for second in range(60, 800, 10):
        stage.read(second, None)
    stage.run(51, 800)
    stage.read(800, page(80_000, running=1), process=P1, started=-50)
    stage.read(810, page(81_000, running=1), process=P1, started=-50)
    stage.run(800, 811)
    assert [(phase, length) for phase, length, _ in stage.phases()[5:]] == [
        (Phase.UNREAD, 600),
        (Phase.UNREAD, 60),  # from now on each minute
        (Phase.UNREAD, 60),
        (Phase.UNREAD, 30),
        (Phase.SERVING, 10),
    ]
    assert stage.tokens() == {OUTPUT: 4000 + 1000}
    assert stage.conserves()


def test_energy_that_was_given_up_does_not_come_back_with_tokens() -> None:
    stage = served_until(50)
    for second in range(60, 650, 10):
        stage.read(second, None)
    stage.run(51, 655)
    assert stage.phases()[-1][:2] == (Phase.UNREAD, 600)
    stage.read(655, page(500, running=1), process=P2, started=630)
    stage.run(655, 656)
    assert stage.phases()[-1][:2] == (Phase.UNREAD, 5), (
        "it answers since 640 at the latest, and that energy is booked"
    )
    assert stage.tokens() == {OUTPUT: 4000}


def test_what_is_pending_when_the_agent_ends_is_booked() -> None:
    stage = served_until(50)
    stage.run(51, 57)
    stage.windows += stage.book.close(instant(57))
    assert stage.phases()[-1] == (Phase.UNREAD, 7, 2_100_000)
    assert stage.book.pending_mj("chat") == 0


def test_a_page_that_is_read_in_another_way_is_a_base() -> None:
    stage = served_until(50)
    stage.book.set_services([replace(CHAT, role=Role.DECODE)])
    stage.read(60, page(6000, prompt=90_000, running=1), process=P1, started=-50)
    stage.read(70, page(7000, prompt=91_000, running=1), process=P1, started=-50)
    stage.run(51, 71)
    assert stage.tokens() == {OUTPUT: 5000, TokenKind.PROMPT: 1000}


def test_counters_that_are_known_to_be_wrong_are_not_counted() -> None:
    stage = Stage(Device("a"))
    for second in (10, 20, 30):
        stage.read(second, page(200 * second, running=1), process=P1, problem=Withheld.KNOWN_BAD)
    stage.run(0, 31)
    assert stage.tokens() == {}
    assert {phase for phase, _, _ in stage.phases()} == {Phase.UNREAD}
    assert stage.view().withheld is Withheld.KNOWN_BAD
    stage.book.set_services([replace(CHAT, problem=Withheld.KNOWN_BAD)])
    stage.read(40, page(900, running=1), process=P2, started=32)
    stage.run(31, 41)
    assert stage.tokens() == {}, "nor those of a process that began under our eyes"


def test_reads_that_come_again_or_late_say_nothing() -> None:
    stage = served_until(50)
    stage.read(50, page(5000, running=1), process=P1)
    stage.read(45, page(9000, running=1), process=P1)
    stage.read(60, page(6000, running=1), process=P1)
    stage.run(51, 61)
    assert stage.tokens() == {OUTPUT: 5000}


def test_reads_whose_energy_does_not_come_are_kept_within_bounds_and_lose_nothing() -> None:
    stage = served_until(50)
    for step in range(2000):
        stage.read(51 + step / 1000, page(5100 + step / 10, running=1), process=P1)
    assert len(stage.book._desks["chat"].join._reads) == 64
    stage.run(51, 54)
    assert stage.tokens() == {OUTPUT: 4000 + 299}
    assert stage.conserves()


def test_totals_go_on_from_where_the_ledger_has_them() -> None:
    stage = Stage(Device("a"))
    stage.kept["chat", "m"] = ServiceTotal("chat", "m", 7, 9, {Phase.IDLE: 9}, {OUTPUT: 11}, 1, 2, 10**20)
    stage.start_agent()
    for second in (10, 20):
        stage.read(second, page(100 * second, running=1), process=P1)
    stage.run(0, 21)
    assert stage.kept["chat", "m"] == ServiceTotal(
        "chat",
        "m",
        active_mj=3_000_007,
        total_mj=3_000_009,
        phases={Phase.IDLE: 9, Phase.UNREAD: 3_000_000, Phase.SERVING: 3_000_000},
        tokens={OUTPUT: 1011},
        preemptions=1,
        drafts_wasted=2,
        last_wall_ns=10**20,
    )
