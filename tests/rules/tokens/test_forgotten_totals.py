"""Totals of services that are over: they are kept, but not without end."""

from dataclasses import replace

from tests.rules.tokens.stage import CHAT, Device, Stage, page
from wattledger.rules.tokens.book import ServiceBook
from wattledger.rules.tokens.policy import TokenPolicy
from wattledger.rules.tokens.totals import ServiceTotal

POLICY = TokenPolicy(totals_limit=8)


def totals(count: int) -> list[ServiceTotal]:
    """Give those of so many services, the last of which was there last."""
    return [ServiceTotal(f"job-{number}", "m", total_mj=5, last_wall_ns=number) for number in range(count)]


def names(book: ServiceBook) -> set[str]:
    """Give the services that have totals."""
    return {total.service for total in book.totals()}


def test_up_to_the_limit_all_totals_are_kept() -> None:
    stage = Stage(policy=POLICY, services=[])
    stage.kept = {total.key: total for total in totals(8)}
    stage.start_agent()
    stage.run(0, 10)
    assert len(names(stage.book)) == 8
    assert stage.book.take_dropped() == ()


def test_beyond_it_those_at_rest_the_longest_are_forgotten_and_told_once() -> None:
    stage = Stage(policy=POLICY, services=[])
    stage.kept = {total.key: total for total in totals(10)}
    stage.start_agent()
    stage.run(0, 10)
    assert names(stage.book) == {f"job-{number}" for number in range(3, 10)}
    assert stage.book.take_dropped() == (("job-0", "m"), ("job-1", "m"), ("job-2", "m"))
    assert stage.book.take_dropped() == ()
    assert stage.book.take_changes() == ()


def test_a_service_that_is_about_is_never_forgotten() -> None:
    services = [replace(CHAT, name=f"job-{number}") for number in range(2)]
    stage = Stage(*(Device(name, service=name) for name in ("job-0", "job-1")), policy=POLICY, services=services)
    stage.kept = {total.key: total for total in totals(20)}
    stage.start_agent()
    for second in (10, 20):
        for service in services:
            stage.read(second, page(second, running=1), service=service.name)
    stage.run(0, 21)
    kept = {total.service: total for total in stage.book.totals()}
    assert kept.keys() == {"job-0", "job-1", *(f"job-{number}" for number in range(15, 20))}
    # It had 5 mJ before: it was about when others were forgotten.
    assert kept["job-0"].total_mj == 5 + 10 * 300_000
