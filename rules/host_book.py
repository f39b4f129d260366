"""The books of all devices of a host, keyed by UUID; devices may come, go and change their index."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .account import DeviceAccount, Entry
from .book import BookPolicy, DeviceBook
from .reading import DeviceIdentity, Pace, Sample
from .states import Circumstances

PolicyOf = Callable[[DeviceIdentity], BookPolicy]
CircumstancesOf = Callable[[DeviceIdentity, int], Circumstances]  # at a wall time in ns


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """What the configuration says of each device."""

    book: PolicyOf
    circumstances: CircumstancesOf
    excludes: Callable[[DeviceIdentity], bool] = lambda _: False


class HostBook:
    """Books samples. Accounts of devices that no sample names stay as they are."""

    def __init__(self, accounts: dict[str, DeviceAccount], policy: HostPolicy) -> None:
        self._accounts = dict(accounts)
        self._policy = policy
        self._books: dict[str, DeviceBook] = {}
        self._pace: Pace | None = None  # of the last sample

    @property
    def accounts(self) -> dict[str, DeviceAccount]:
        """Give every account, of present and absent devices."""
        return self._accounts

    def book_of(self, uuid: str) -> DeviceBook | None:
        """Give the running book of a device that was seen since the start."""
        return self._books.get(uuid)

    def apply(self, policy: HostPolicy, identities: Iterable[DeviceIdentity]) -> None:
        """Go on under another configuration for the devices of *identities*."""
        self._policy = policy
        for identity in identities:
            if (book := self._books.get(identity.uuid)) is not None:
                book.apply(self._policy_of(identity))

    def read(self, sample: Sample) -> list[Entry]:
        """Book one sample; give the intervals added, over all devices."""
        entries: list[Entry] = []
        another_pace, self._pace = sample.pace != self._pace, sample.pace
        for reading in sample.devices:
            uuid = reading.identity.uuid
            book = self._books.get(uuid)
            if book is None:
                account = self._accounts.get(uuid) or DeviceAccount(uuid=uuid, name=reading.identity.name)
                book = self._books[uuid] = DeviceBook(account, self._policy_of(reading.identity))
            elif another_pace:
                book.apply(self._policy_of(reading.identity))
            circumstances = self._policy.circumstances(reading.identity, reading.at.wall_ns)
            entries += book.read(reading, sample.host, circumstances)
        for event in sample.events:
            if (book := self._books.get(event.uuid)) is not None:
                book.note(event)
        for uuid, book in self._books.items():
            self._accounts[uuid] = book.account
        return entries

    def _policy_of(self, identity: DeviceIdentity) -> BookPolicy:
        return self._policy.book(identity).at_pace(self._pace)
