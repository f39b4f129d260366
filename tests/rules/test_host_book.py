"""The books of a host: boards come, go, change places and hosts; what one does is no matter to the others."""

from dataclasses import dataclass, field, replace

from tests.rules.gpu_model import GpuModel
from wattledger.rules.account import DeviceAccount
from wattledger.rules.book import BookPolicy
from wattledger.rules.correction import Correction
from wattledger.rules.host_book import HostBook, HostPolicy
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import DeviceIdentity, Sample, SourceKind, XidEvent
from wattledger.rules.state import State
from wattledger.rules.states import Circumstances


def policy(*, owner: str = "", gain_ppm: int = 1_000_000) -> HostPolicy:
    book = BookPolicy(correction=Correction(gain_ppm=gain_ppm))

    def circumstances(identity: DeviceIdentity, wall_ns: int) -> Circumstances:
        return Circumstances(owner=owner)

    return HostPolicy(book=lambda _: book, circumstances=circumstances)


@dataclass(slots=True)
class Host:
    """A host with its boards; those in `hidden` are not told of, as excluded ones are not."""

    gpus: list[GpuModel] = field(default_factory=lambda: [GpuModel(uuid="GPU-1"), GpuModel(uuid="GPU-2", index=1)])
    book: HostBook = field(default_factory=lambda: HostBook({}, policy()))
    hidden: set[str] = field(default_factory=set)

    def run(self, times: int, *events: XidEvent) -> None:
        for _ in range(times):
            for gpu in self.gpus:
                gpu.advance(1)
            seen = [gpu for gpu in self.gpus if gpu.uuid not in self.hidden]
            first = self.gpus[0]
            readings = tuple(gpu.reading() for gpu in seen)
            self.book.read(Sample(first.at, SourceKind.SIM, first.host, readings, events))

    def joules(self, uuid: str) -> dict[State, int]:
        return {state: total.energy_mj // 1000 for state, total in self.book.accounts[uuid].states.items()}


def test_a_device_that_is_excluded_and_taken_back_has_lost_nothing_and_its_neighbour_neither() -> None:
    host = Host()
    host.run(11)
    host.hidden = {"GPU-2"}
    host.run(100)
    assert host.joules("GPU-2") == {State.PARKED: 1000}
    host.hidden = set()
    host.run(10)
    assert host.joules("GPU-1") == {State.PARKED: 12_000}
    assert host.joules("GPU-2") == {State.PARKED: 1900, State.UNOBSERVED: 10_100}


def test_boards_that_change_places_keep_their_books() -> None:
    host = Host()
    host.gpus[1].power_mw = 200_000
    host.run(11)
    host.gpus[0].index, host.gpus[1].index = 1, 0
    host.gpus.reverse()
    host.run(10)
    assert host.joules("GPU-1") == {State.PARKED: 2000}
    assert host.joules("GPU-2") == {State.PARKED: 4000}


def test_a_board_that_was_in_another_host_brings_no_joule_of_it() -> None:
    host = Host()
    host.run(11)
    board = host.gpus[1]
    host.hidden = {board.uuid}
    host.run(1000)
    board.power_mw = 600_000
    board.advance(500_000)  # elsewhere, where its uptime and counter began anew as well
    board.power_mw = 100_000
    board.reset()
    for gpu in host.gpus:
        gpu.mono_ns = 2_000_000 * NS_PER_SECOND
        gpu.uptime_read = None
    board.initialised_ns = host.gpus[0].mono_ns - 30 * NS_PER_SECOND
    board.counter_from_mw_ns = board.truth_mw_ns - 30 * 100_000 * NS_PER_SECOND
    host.hidden = set()
    host.run(2)
    account = host.book.accounts[board.uuid]
    assert account.energy_mj == 10 * 100_000 + 31 * 100_000 + 100_000
    assert account.counter_resets == 1


def test_a_known_account_is_gone_on_with_and_an_absent_one_kept() -> None:
    host = Host()
    host.run(5)
    accounts = dict(host.book.accounts)
    accounts["GPU-old"] = DeviceAccount(uuid="GPU-old", name="Gone")
    host.book = HostBook(accounts, policy())
    assert host.book.book_of("GPU-1") is None
    host.run(5)
    assert host.joules("GPU-1") == {State.PARKED: 800, State.UNOBSERVED: 100}
    assert host.book.accounts["GPU-old"].name == "Gone"


def test_a_new_configuration_holds_for_boards_of_before_and_for_new_ones() -> None:
    host = Host()
    host.hidden = {"GPU-2"}
    host.run(11)
    host.book.apply(policy(owner="alice", gain_ppm=2_000_000), [host.gpus[0].reading().identity])
    host.hidden = set()
    host.run(11)
    assert host.joules("GPU-1") == {State.PARKED: 1000, State.ALLOCATED: 2200}
    assert host.joules("GPU-2") == {State.ALLOCATED: 2000}


def test_an_xid_goes_to_the_book_of_its_board_and_one_of_no_board_nowhere() -> None:
    host = Host()
    host.run(1, XidEvent("GPU-2", 79, 5), XidEvent("GPU-9", 79, 5))
    assert host.book.accounts["GPU-1"].xids == {}
    assert host.book.accounts["GPU-2"].xids[79].count == 1
    assert set(host.book.accounts) == {"GPU-1", "GPU-2"}


def test_a_sample_without_devices_changes_no_account() -> None:
    host = Host()
    host.run(3)
    before = dict(host.book.accounts)
    host.hidden = {"GPU-1", "GPU-2"}
    host.run(3)
    assert host.book.accounts == before


def test_two_boards_of_one_name_have_two_books() -> None:
    host = Host([replace(GpuModel(), uuid="GPU-1"), replace(GpuModel(), uuid="GPU-2", index=1, power_mw=5000)])
    host.run(3)
    assert host.joules("GPU-2") == {State.PARKED: 10}
