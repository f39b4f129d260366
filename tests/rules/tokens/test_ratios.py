"""When joules per token are shown, and why not; a ratio that is shown is right."""

from dataclasses import replace

import pytest

from tests.rules.tokens.stage import CHAT, Device, Stage, counter, instant, page
from wattledger.rules.state import State
from wattledger.rules.tokens.model import (
    Attribution,
    Count,
    CounterClass,
    Role,
    Service,
    TokenKind,
    TokenPage,
    Withheld,
)
from wattledger.rules.tokens.policy import TokenPolicy
from wattledger.rules.tokens.ratios import WINDOWS_LIMIT, StatedWindow
from wattledger.rules.tokens.totals import Phase, Scope, ServiceWindow
from wattledger.rules.tokens.view import Per
from wattledger.rules.usage.workload import ShareMethod

P1 = "10:1"
FINISH = replace(CHAT, server="tgi", counter_class=CounterClass.FINISH)


def serving(*devices: Device, service: Service = CHAT, until: int = 60, engines: int = 1, rate: int = 100) -> Stage:
    """Give a server that makes *rate* tokens a second, three computed and one cached prompt token to each."""
    stage = Stage(*(devices or (Device("a"),)), services=[service])
    for second in range(10, until + 1, 10):
        tokens = rate * second
        shown = page(tokens, 4 * tokens, cached=tokens, running=1, engines=engines)
        stage.read(second, shown, process=P1)
    stage.run(0, until + 1)
    return stage


def test_output_total_and_computed_of_both_scopes() -> None:
    stage = serving()
    stage.devices[0].state = State.HELD
    stage.read(80, page(6000, 24_000, cached=6000, running=0), process=P1)
    stage.read(90, page(6000, 24_000, cached=6000, running=0), process=P1)
    stage.run(61, 91)
    # 5000 tokens; 51 s of work; 80 s in all
    assert {(ratio.per, ratio.scope): ratio.joules for ratio in stage.view().ratios} == {
        (Per.OUTPUT, Scope.ACTIVE): 15_300 / 5000,
        (Per.TOTAL, Scope.ACTIVE): 15_300 / 25_000,
        (Per.COMPUTED, Scope.ACTIVE): 15_300 / 20_000,
        (Per.OUTPUT, Scope.TOTAL): 24_000 / 5000,
        (Per.TOTAL, Scope.TOTAL): 24_000 / 25_000,
        (Per.COMPUTED, Scope.TOTAL): 24_000 / 20_000,
    }
    view = stage.view()
    assert (view.window_ns, view.coverage, view.tokens_per_second) == (80 * 10**9, 1.0, 62.5)
    assert (view.up, view.running, view.waiting, view.devices) == (True, 0, 0, 1)
    assert view.attribution is Attribution.EXCLUSIVE
    assert view.totals == (stage.kept["chat", "m"],)


def test_a_ratio_is_over_the_last_five_minutes() -> None:
    stage = serving(until=300)
    stage.devices[0].power_mw = 100_000
    for second in range(310, 701, 10):
        stage.read(second, page(100 * second, running=1), process=P1)
    stage.run(301, 701)
    assert stage.joules(Per.OUTPUT) == 1.0
    assert stage.view().window_ns == 300 * 10**9


def test_a_kind_that_is_not_known_has_no_ratio() -> None:
    stage = Stage(Device("a"))
    for second in (10, 20):
        stage.read(second, page(100 * second, 400 * second, running=1), process=P1)
    stage.run(0, 21)
    assert {ratio.per for ratio in stage.view().ratios} == {Per.OUTPUT, Per.TOTAL}
    stage.read(30, page(3000, 12_000, cached=900, running=1), process=P1)
    stage.run(21, 31)
    assert {ratio.per for ratio in stage.view().ratios} == {Per.OUTPUT, Per.TOTAL}, "it was not known all the time"


def test_energy_of_work_is_not_shown_where_it_is_not_known_when_there_was_work() -> None:
    stage = serving(Device("a", state=State.UNKNOWN))
    assert stage.joules(Per.OUTPUT, Scope.ACTIVE) is None
    assert stage.joules(Per.OUTPUT, Scope.TOTAL) == 3.0
    stage.devices[0].state = State.ACTIVE
    for second in (70, 80):
        stage.read(second, page(100 * second, running=1), process=P1)
    stage.run(61, 81)
    assert stage.joules(Per.OUTPUT, Scope.ACTIVE) is None, "of most of it it is not known yet"


def test_counters_that_move_at_the_end_of_requests_need_their_time() -> None:
    stage = serving(service=FINISH, until=60)
    assert stage.view().withheld is Withheld.SHORT_WINDOW
    assert stage.view().ratios == ()
    stage.read(70, page(7000, 28_000, cached=7000, running=1), process=P1)
    stage.run(61, 71)
    assert stage.joules(Per.OUTPUT) == 3.0
    assert serving(service=CHAT, until=20).joules(Per.OUTPUT) == 3.0, "others do not"


def test_a_burst_at_the_end_of_a_request_waits_for_five_minutes() -> None:
    """A request runs for 100 s at 300 W and ends at 110; only then its 1000 tokens are counted."""
    stage = Stage(Device("a"), services=[FINISH])
    for second in range(10, 310, 10):
        tokens, running = (0, 1) if second < 110 else (1000, 0)
        stage.read(second, page(tokens, running=running), process=P1)
    stage.run(0, 101)
    assert stage.view().withheld is Withheld.SHORT_WINDOW
    stage.run(101, 110)
    stage.devices[0].state, stage.devices[0].power_mw = State.HELD, 60_000
    stage.run(110, 301)
    assert stage.view().withheld is Withheld.SHORT_WINDOW
    assert {phase for phase, _, _ in stage.phases()[1:11]} == {Phase.SERVING}


def test_a_quiet_server_of_that_class_is_shown_after_five_minutes() -> None:
    stage = Stage(Device("a"), services=[FINISH])
    for second in range(10, 320, 10):
        stage.read(second, page(10 * second if second < 200 else 2000, running=0), process=P1)
    stage.run(0, 301)
    assert stage.view().withheld is Withheld.SHORT_WINDOW
    stage.run(301, 311)
    # 300 s at 300 W, 1900 tokens
    assert stage.joules(Per.OUTPUT) == 90_000 / 1900


def test_a_window_is_no_shorter_than_four_requests() -> None:
    stage = Stage(Device("a"), services=[FINISH])
    for second in range(10, 170, 10):
        shown = page(100 * second, running=1)
        finished = counter("requests_count", float(second))
        seconds = counter("requests_sum", 35.0 * second)
        stage.read(second, replace(shown, requests_finished=finished, request_seconds=seconds), process=P1)
    stage.run(0, 141)
    assert stage.view().withheld is Withheld.SHORT_WINDOW
    stage.run(141, 151)
    assert stage.joules(Per.OUTPUT) == 3.0


def test_tokens_of_devices_elsewhere_withhold_the_ratio() -> None:
    assert serving(engines=2).view().withheld is Withheld.REMOTE_RANKS
    assert serving(Device("a"), Device("b"), engines=2).view().withheld is None
    assert serving(service=replace(CHAT, remote=True)).view().withheld is Withheld.REMOTE_RANKS


def test_an_engine_over_more_devices_than_are_here_withholds_the_ratio() -> None:
    spread = replace(CHAT, engine_devices=4)
    assert serving(Device("a"), Device("b"), service=spread).view().withheld is Withheld.REMOTE_RANKS
    assert serving(*map(Device, "abcd"), service=spread).view().withheld is None
    assert serving(*map(Device, "abcd"), service=spread, engines=2).view().withheld is Withheld.REMOTE_RANKS


def test_two_engines_on_two_instances_of_one_board_are_here() -> None:
    stage = serving(engines=2)
    stage.book.note_devices("chat", 2)
    assert stage.view().withheld is None
    stage.devices[0].service = ""
    stage.read(130, page(6000, 24_000, cached=6000, running=0), process=P1)
    stage.run(61, 131)
    assert stage.view().devices == 0, "what was noted is past"


def test_low_coverage_withholds_the_ratio() -> None:
    stage = serving(until=60)
    stage.read(71, page(100, running=1), process="20:2", started=66)
    stage.run(61, 72)
    # 6 of 61 s lie about the restart
    assert stage.view().coverage == 55 / 61
    assert stage.view().withheld is None
    stage.read(80, page(100, running=1), process="30:3", started=72)
    stage.run(72, 81)
    assert stage.view().coverage == 63 / 70
    stage.read(90, page(100, running=1), process="40:4", started=82)
    stage.run(81, 91)
    assert stage.view().coverage == 71 / 80
    assert stage.view().withheld is Withheld.COVERAGE
    assert stage.view().ratios == ()


def test_energy_that_nothing_tells_apart_withholds_the_ratio() -> None:
    stage = serving(Device("a", method=ShareMethod.EQUAL))
    assert stage.view().withheld is Withheld.SHARED
    assert stage.view().attribution is Attribution.SHARED


@pytest.mark.parametrize("method", [ShareMethod.SM_SHARE, ShareMethod.ESTIMATED])
def test_energy_that_is_shared_by_a_method_is_shown_as_such(method: ShareMethod) -> None:
    stage = serving(Device("a", method=method))
    assert stage.joules(Per.OUTPUT) == 3.0
    assert stage.view().attribution is Attribution.SHARED


def test_a_moment_without_method_does_not_withhold_five_minutes() -> None:
    stage = serving()
    stage.devices[0].method = ShareMethod.EQUAL
    stage.run(61, 63)
    stage.devices[0].method = ShareMethod.EXCLUSIVE
    stage.read(70, page(7000, 28_000, cached=7000, running=1), process=P1)
    stage.run(63, 71)
    assert stage.view().withheld is None


def test_a_service_without_devices_has_tokens_and_no_ratio() -> None:
    stage = serving(Device("a", service=""))
    assert stage.view().withheld is Withheld.NO_GPU
    assert stage.view().attribution is Attribution.NONE
    assert stage.tokens()[TokenKind.OUTPUT] == 5000
    shown = replace(page(7000, running=1), preemptions=counter("preemptions", 3.0))
    stage.read(70, shown, process=P1)
    stage.run(61, 71)
    assert (stage.kept["chat", "m"].phases, stage.kept["chat", "m"].preemptions) == ({}, 3)


def test_devices_by_configuration() -> None:
    stage = serving(service=replace(CHAT, devices=("a",)))
    assert stage.view().attribution is Attribution.CONFIGURED
    assert stage.joules(Per.OUTPUT) == 3.0


def test_few_tokens_and_none() -> None:
    assert serving(until=20, rate=1).view().withheld is Withheld.FEW_TOKENS
    few = serving(until=20, rate=4).view()
    assert {ratio.per for ratio in few.ratios} == {Per.TOTAL, Per.COMPUTED}, "40 of output are too few"
    stage = Stage(Device("a"))
    for second in (10, 20):
        stage.read(second, page(7, running=1), process=P1)
    stage.run(0, 21)
    assert stage.view().withheld is Withheld.NO_TOKENS


def test_a_service_that_starts_says_so() -> None:
    stage = Stage(Device("a"))
    stage.read(10, page(0, running=0), process=P1, started=5)
    stage.run(0, 11)
    assert stage.view().withheld is Withheld.STARTING


def test_a_page_that_fails_once_leaves_the_ratio_and_one_that_goes_on_takes_it_away() -> None:
    stage = serving()
    stage.read(70, None)
    stage.run(61, 71)
    assert stage.joules(Per.OUTPUT) == 3.0
    assert (stage.view().up, stage.view().running) == (False, None)
    stage.run(71, 99)
    assert stage.view().withheld is None
    stage.run(99, 100)
    assert stage.view().withheld is Withheld.UNREACHABLE
    assert stage.view().ratios == ()


def test_a_page_that_nobody_tries_to_read_takes_the_ratio_away_too() -> None:
    stage = serving()
    stage.run(61, 179)
    assert stage.view().withheld is None
    stage.run(179, 180)
    assert stage.view().withheld is Withheld.UNREACHABLE


def test_the_first_of_several_reasons_is_told() -> None:
    service = replace(CHAT, remote=True, problem=Withheld.NO_PERMISSION, detail="sockets of root")
    stage = serving(service=service)
    assert (stage.view().withheld, stage.view().detail) == (Withheld.NO_PERMISSION, "sockets of root")


@pytest.mark.parametrize(
    ("rate", "until", "implausible"),
    [(100, 60, False), (40_000, 60, True), (5, 60, False), (5, 290, True), (7, 290, False)],
)
def test_what_is_hardly_right_is_shown_with_a_warning(rate: int, until: int, implausible: bool) -> None:
    """At 300 W: 3, 0.0075, 60 (of 250 tokens, and of 1400), 43 J a token."""
    view = serving(until=until, rate=rate).view()
    assert view.implausible is implausible
    assert view.ratios


def test_training_is_joules_per_token_consumed() -> None:
    service = Service("fit", "textfile", Role.TRAINING, CounterClass.ITERATION)
    stage = Stage(Device("a", service="fit"), services=[service])
    for second in (10, 20, 30):
        key = ("train_tokens_total", ())
        shown = TokenPage({key: Count(TokenKind.PROMPT_COMPUTED, "", 1000.0 * second)})
        stage.read(second, shown, process="job", service="fit")
    stage.run(0, 31)
    assert {ratio.per for ratio in stage.view("fit").ratios} == {Per.TRAINING}
    assert stage.joules(Per.TRAINING, service="fit") == 0.3
    assert stage.view("fit").tokens_per_second == 1000


def test_the_ratio_of_rejected_drafts() -> None:
    stage = Stage(Device("a"))
    for second in (10, 20):
        drafts = counter("drafts", 30.0 * second)
        accepted = counter("accepted", 21.0 * second)
        shown = replace(page(100 * second, running=1), drafts_proposed=drafts, drafts_accepted=accepted)
        stage.read(second, shown, process=P1)
    stage.run(0, 21)
    assert stage.view().wasted_draft_ratio == 0.3
    assert stage.kept["chat", "m"].drafts_wasted == 90


def test_a_new_policy_begins_new_ratios_and_keeps_what_is_pending() -> None:
    stage = serving()
    stage.book.apply(TokenPolicy(tokens_min=5000))
    assert stage.view().withheld is Withheld.NO_TOKENS
    stage.read(70, page(7000, running=1), process=P1)
    stage.run(61, 71)
    assert stage.view().withheld is Withheld.FEW_TOKENS
    assert stage.windows[-1].total_mj == 3_000_000


def test_memory_of_a_stated_window_is_bounded() -> None:
    stated = StatedWindow(TokenPolicy())
    for step in range(3000):
        start, end = instant(step / 100), instant((step + 1) / 100)
        stated.add(
            ServiceWindow("chat", start, end, Phase.SERVING, 1, 1, {"m": {TokenKind.OUTPUT: 1}}),
        )
    assert len(stated._windows) == WINDOWS_LIMIT
    assert stated.tokens_per_second(Role.UNIFIED) == 100
