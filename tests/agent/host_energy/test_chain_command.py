"""`wattledger chain`: its sums hold, what is assumed is said aloud, its load comes from the ledger or the user."""

import argparse
import io
import re
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from wattledger.agent.cli import main
from wattledger.agent.commands.chain import chain_command, mean_load
from wattledger.agent.config.facility_schema import ChainEntry, CoolingEntry, Facility, PsuEntry, UpsEntry
from wattledger.agent.ledger import SqliteLedger
from wattledger.rules.account import DeviceAccount, Entry, StateTotal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.state import Method, State

NUMBER = re.compile(r"[-+]?[0-9][0-9,]*(?:\.[0-9]+)?%?")
CHAIN = Facility(
    chain=ChainEntry(
        psu=PsuEntry(curve="80plus-titanium-230v", rated_mw=3_000_000, count=4),
        ups=UpsEntry(mode="double-conversion", rated_mw=15_000_000),
        cooling=CoolingEntry(cop_permille=4_000),
    )
)


def run(
    *, facility: Facility | None = None, state_dir: Path = Path("/nowhere"), **options: object
) -> tuple[int, str, str]:
    """Give exit code, output and complaints."""
    asked = {"compare": None, "setup": None, "load_kw": None, "days": 7, "list": False} | options
    out, err = io.StringIO(), io.StringIO()
    code = chain_command(
        argparse.Namespace(**asked),
        Facility() if facility is None else facility,
        state_dir,
        now_wall_ns=FakeClock().wall_ns,
        out=out,
        err=err,
    )
    return code, out.getvalue(), err.getvalue()


def rows_of(output: str) -> dict[str, list[str]]:
    """Give the numbers of each line of the table by the name in front."""
    table = output.split("\n\n")[1].splitlines()[1:]
    split = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in table]
    return {name: NUMBER.findall(rest) for name, rest in split}


def kilowatts(text: str) -> float:
    return float(text.replace(",", ""))


def test_the_configured_chain_is_told_stage_by_stage() -> None:
    code, output, _ = run(facility=CHAIN, load_kw="6")
    assert code == 0
    rows = rows_of(output)
    assert list(rows) == [
        "load",
        "power supplies",
        "UPS, rectifiers",
        "cooling",
        "from the grid",
        "from the grid, over load",
    ]
    assert rows["load"] == ["6.000", "52,560"]
    assert rows["power supplies"] == ["50%", "0.250", "2,190"]  # 96 % at half load
    lost = [
        kilowatts(row[-2]) for name, row in rows.items() if name not in ("from the grid", "from the grid, over load")
    ]
    assert sum(lost) == pytest.approx(kilowatts(rows["from the grid"][0]), abs=0.003)
    assert kilowatts(rows["from the grid"][1]) == pytest.approx(kilowatts(rows["from the grid"][0]) * 8_760, abs=5)
    assert "double-conversion (ASSUMED)" in output
    assert "80plus-titanium-230v: 80 PLUS" in output
    assert "cooling is not in it" not in output


def test_two_ways_are_compared_and_the_difference_is_that_of_the_columns() -> None:
    code, output, _ = run(compare=["ac-ups", "dc-48v"], load_kw="1000")
    assert code == 0
    grid = [kilowatts(number) for number in rows_of(output)["from the grid"]]
    first_kw, first_year, second_kw, second_year, difference = grid
    assert second_kw < first_kw
    assert difference == pytest.approx(second_year - first_year, abs=1)
    assert rows_of(output)["load"] == ["1,000.000", "8,760,000"] * 2 + ["+0"]
    assert output.count("cooling is not in it") == 2
    assert "48 V busbar" in output


def test_setups_take_over_the_cooling_of_the_configuration() -> None:
    _, output, _ = run(facility=CHAIN, compare=["configured", "dc-380v"], load_kw="6")
    assert len(rows_of(output)["cooling"]) == 5


def test_a_stage_that_one_side_lacks_is_a_difference_too() -> None:
    _, output, _ = run(compare=["ac-ups", "ac-direct"], load_kw="100")
    assert rows_of(output)["UPS, rectifiers"][-1].startswith("-")


def test_a_pue_is_one_stage_and_says_what_it_does_not_hold() -> None:
    code, output, _ = run(facility=Facility(pue_millionths=1_250_000), load_kw="8")
    assert code == 0
    assert rows_of(output)["all of the PUE"] == ["2.000", "17,520"]
    assert rows_of(output)["from the grid, over load"] == ["1.2500"]
    assert "their loss is not known" in output


def test_an_efficiency_that_holds_at_any_load_has_no_load_to_show() -> None:
    constant = Facility(chain=ChainEntry(ups=UpsEntry(efficiency_ppm=950_000)))
    _, output, _ = run(facility=constant, load_kw="9.5")
    assert rows_of(output)["UPS, rectifiers"] == ["0.500", "4,380"]
    assert "rating," not in output


def test_overload_is_told() -> None:
    _, output, _ = run(facility=CHAIN, load_kw="13")
    assert "power supplies: loaded beyond the rating" in output


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"load_kw": "5"}, "name a set-up: --setup ac-direct"),
        ({"load_kw": "5", "setup": "ac"}, "ac: is no set-up that is known; the names are configured, ac-direct"),
        ({"load_kw": "0", "setup": "ac-ups"}, "--load-kw 0: is no power"),
        ({"load_kw": "5kW", "setup": "ac-ups"}, "--load-kw 5kW: is no power"),
        ({"load_kw": "99999999", "setup": "ac-ups"}, "is no power"),
        ({"setup": "ac-ups"}, "or give the load: --load-kw N"),
        ({"load_kw": "5", "facility": Facility(pue_millionths=1, chain=CHAIN.chain)}, "PUE times its own components"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_cure(options: dict[str, object], word: str) -> None:
    code, output, complaint = run(**options)  # type: ignore[arg-type]  # the table's own
    assert (code, output) == (1, "")
    assert word in complaint


def test_the_list_names_every_curve_with_its_source() -> None:
    code, output, _ = run(list=True)
    assert code == 0
    assert "80plus-gold-230v" in output
    assert "en.wikipedia.org/wiki/80_Plus" in output
    assert "(ASSUMED):" in output


def ledger_with(state_dir: Path, *powers_mw: int) -> FakeClock:
    """Write a ledger of three hours in which each GPU drew its power, one of them for an hour alone."""
    clock = FakeClock()
    ledger = SqliteLedger(state_dir, clock=clock)
    for hour in range(3):
        begin = clock.now()
        clock.advance_ns(NS_PER_HOUR)
        entries = [
            entry(f"GPU-{number}", begin, clock.now(), power_mw)
            for number, power_mw in enumerate(powers_mw)
            if number == 0 or hour == 1
        ]
        accounts = {one.uuid: account_of(one) for one in entries}
        ledger.commit(accounts, entries, clock.now())
    ledger.close()
    return clock


def entry(uuid: str, start: Instant, end: Instant, power_mw: int) -> Entry:
    energy_mj = power_mw * end.ns_since(start) // NS_PER_SECOND
    return Entry(uuid, State.ACTIVE, start, end, energy_mj, method=Method.COUNTER)


def account_of(one: Entry) -> DeviceAccount:
    return DeviceAccount(
        one.uuid,
        states={one.state: StateTotal(one.energy_mj, one.duration_ns)},
        methods={Method.COUNTER: one.energy_mj},
    )


def test_the_load_of_the_ledger_is_the_mean_of_each_gpu_over_its_own_time(tmp_path: Path) -> None:
    clock = ledger_with(tmp_path, 400_000, 700_000)
    load = mean_load(tmp_path, now_wall_ns=clock.wall_ns, days=1)
    assert load.power_mw == 1_100_000
    assert "mean of 2 GPUs over the last day of the ledger" in load.origin
    assert "the rest of the node is not in it" in load.origin


def test_without_a_load_that_of_the_ledger_is_taken(tmp_path: Path) -> None:
    ledger_with(tmp_path, 500_000)
    code, output, _ = run(state_dir=tmp_path, setup="ac-ups")
    assert code == 0
    assert "Load 0.500 kW" in output


def test_a_ledger_that_knows_nothing_of_these_days_says_so(tmp_path: Path) -> None:
    SqliteLedger(tmp_path, clock=FakeClock()).close()
    code, _, complaint = run(state_dir=tmp_path, setup="ac-ups", days=3)
    assert code == 1
    assert "no energy of the last 3 days" in complaint


def test_one_gpu_is_one(tmp_path: Path) -> None:
    clock = ledger_with(tmp_path, 400_000)
    assert "mean of 1 GPU over the last 2 days" in mean_load(tmp_path, now_wall_ns=clock.wall_ns, days=2).origin


def test_the_ledger_of_a_simulated_host_is_found_where_it_is_kept_and_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger_with(tmp_path / "sim", 500_000)
    code = main(["chain", "--state-dir", str(tmp_path), "--setup", "ac-ups", "--days", "36500"])
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert printed.out.startswith("SIMULATED: the load is that of a simulated host.")
    assert "Load 0.500 kW" in printed.out


def test_a_load_that_is_given_is_not_simulated(tmp_path: Path) -> None:
    ledger_with(tmp_path / "sim", 500_000)
    assert "SIMULATED" not in run(state_dir=tmp_path / "sim", setup="ac-ups", load_kw="1")[1]


@pytest.mark.parametrize("days", ["0", "-7", "36501", "99999999999999999", "1.5", "week"])
def test_days_that_are_none_are_refused(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["chain", "--setup", "ac-ups", f"--days={days}"])
    assert left.value.code == 2
    assert f"{days!r} is no number of days; write a whole number from 1 to 36500" in capsys.readouterr().err
