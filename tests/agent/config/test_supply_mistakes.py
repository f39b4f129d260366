"""What is wrong with `supply` is told with its key and a cure, above all energy that would count twice."""

import pytest

from tests.agent.supply_entries import METER, supply_entries
from wattledger.agent.config.supply_mistakes import supply_mistakes

ROOF = f"- {{kind: onsite, name: roof, {METER}}}\n"
WIND = "- {kind: contract, name: wind, scope: inter, share: 0.4}\n"


def battery(more: str = "") -> str:
    return f"- {{kind: storage, name: battery, {METER}{more}}}\n"


def lots(*each: str, more: str = "") -> str:
    listed = ", ".join(f"{{name: l{number}, mwh: 1, {lot}}}" for number, lot in enumerate(each))
    return f"- {{kind: certificates, name: gec{more}, certificates: [{listed}]}}\n"


RIGHT = {
    "generation on site": ROOF,
    "a generator with its emissions": f"- {{kind: onsite, name: gas, renewable: false, grams_per_kwh: 490, {METER}}}",
    "power whose certificates were sold": f"- {{kind: onsite, name: roof, certificates_sold: true, {METER}}}",
    "a battery charged on site": ROOF + battery(", charged_from: onsite, capacity_kwh: 200"),
    "a battery with its losses": ROOF + battery(", charged_from: onsite, capacity_kwh: 200, efficiency: 0.88"),
    "a battery charged from the grid": battery(", charged_from: grid, grams_per_kwh: 600"),
    "contracts of following years": (
        "- {kind: contract, name: a, scope: intra, share: 0.8, to: 2026-01-01T00:00:00+08:00}\n"
        "- {kind: contract, name: b, scope: intra, share: 0.9, from: 2026-01-01T00:00:00+08:00}\n"
    ),
    "nuclear power": (
        "- {kind: contract, name: a, scope: inter, kwh_per_hour: 2.5, renewable: false, carbon_free: true, "
        "grams_per_kwh: 12}\n"
    ),
    "a contract by the hours of the day": (
        f"- {{kind: contract, name: a, scope: intra, timezone: UTC, profile: [{', '.join(['1.5'] * 24)}]}}\n"
    ),
    "certificates alone": lots("vintage: 2026, valid_until: 2028-06-01T00:00:00+08:00"),
    "certificates that came with a contract": WIND + lots("vintage: 2026, contract: wind"),
    "certificates beside a contract": WIND + lots("vintage: 2026, unbundled: true"),
    "certificates of before a contract": (
        "- {kind: contract, name: a, scope: intra, share: 1, from: 2026-01-01T00:00:00+08:00}\n"
        + lots("vintage: 2025", more=", timezone: Asia/Shanghai")
    ),
    "a certificate of one hour": (
        "- {kind: certificates, name: gc, certificates: [{name: a, mwh: 0.004, "
        "from: 2026-07-01T04:00:00Z, to: 2026-07-01T05:00:00Z}]}\n"
    ),
}

WRONG: dict[str, tuple[str, list[str]]] = {
    "two of one name": (ROOF + ROOF, ["supply[1].name: `roof` is the name of supply[0] already; rename one"]),
    "a key of another kind": (
        f"- {{kind: onsite, name: roof, scope: intra, {METER}}}",
        ["supply[0].scope: is not for kind onsite; remove it, or correct the kind"],
    ),
    "certificates in a contract": (
        "- {kind: contract, name: a, scope: intra, share: 1, certificates: [{name: a, mwh: 1, vintage: 2026}]}",
        ["supply[0].certificates: is not for kind contract; remove it, or correct the kind"],
    ),
    "a contract from nowhere": (
        "- {kind: contract, name: a, share: 1}",
        ["supply[0]: lacks the key `scope`; write intra for power of the same province or market, else inter"],
    ),
    "a contract whose certificates others have": (
        "- {kind: contract, name: a, scope: intra, share: 1, certificates_sold: true}",
        [
            (
                "supply[0].certificates_sold: a contract without its certificates is the grid's mix; remove the "
                "whole entry"
            )
        ],
    ),
    "a meter by the day": (
        (
            "- {kind: onsite, name: a, meter: {kind: csv, path: m.csv, step: 1d}}\n"
            "- {kind: onsite, name: b, meter: {kind: csv, path: m.csv, step: 1h}}"
        ),
        [("supply[0].meter.step: is longer than an hour, and says nothing of the hours in it; write 1h or less")],
    ),
    "no amount": (
        "- {kind: contract, name: a, scope: intra}\n- {kind: onsite, name: roof}",
        [
            "supply[0]: does not tell how much there is; add one of meter, kwh_per_hour, profile, share",
            "supply[1]: does not tell how much there is; add one of meter, kwh_per_hour, profile",
        ],
    ),
    "two amounts": (
        f"- {{kind: contract, name: a, scope: intra, share: 1, {METER}}}",
        ["supply[0]: tells how much there is by meter and share; keep one of them"],
    ),
    "a short day": (
        "- {kind: contract, name: a, scope: intra, timezone: UTC, profile: [1, 2]}",
        ["supply[0].profile: has 2 numbers; write 24, the kWh of each hour of the day from 0:00 on"],
    ),
    "a day without a place": (
        f"- {{kind: contract, name: a, scope: intra, profile: [{', '.join(['1'] * 24)}]}}",
        ["supply[0]: has a profile by hours of the day and lacks the key `timezone`; add it, such as Asia/Shanghai"],
    ),
    "a place without a day": (
        f"- {{kind: onsite, name: roof, timezone: UTC, {METER}}}",
        ["supply[0].timezone: is used with a profile alone; remove it"],
    ),
    "part of a share": (
        "- {kind: contract, name: a, scope: intra, share: 0.5, part: 0.1}",
        ["supply[0].part: is of an amount, and a share is of the load of this host already; remove it"],
    ),
    "an end before the beginning": (
        f"- {{kind: onsite, name: a, {METER}, from: 2026-01-01T00:00:00Z, to: 2026-01-01T00:00:00Z}}",
        ["supply[0].to: is not after `from`; exchange the two or correct one"],
    ),
    "more than the whole load": (
        (
            "- {kind: contract, name: a, scope: intra, share: 0.7}\n"
            "- {kind: contract, name: b, scope: inter, share: 0.4, from: 2026-01-01T00:00:00Z}\n"
        ),
        ["supply[1].share: adds up with the other shares of that time to more than 1; lower one"],
    ),
    "power without its emissions": (
        "- {kind: contract, name: a, scope: intra, share: 0.5, renewable: false}",
        ["supply[0]: is not renewable, and lacks the key `grams_per_kwh`; add what a kWh of it emits"],
    ),
    "a battery that emits nothing by itself": (
        battery(", grams_per_kwh: 0") + battery().replace("battery", "other"),
        [
            (
                "supply[0].grams_per_kwh: emits nothing only where nothing emitted what charged it; write "
                "charged_from: onsite with its capacity_kwh, or give grams_per_kwh"
            ),
            (
                "supply[1]: emits nothing only where nothing emitted what charged it; write charged_from: "
                "onsite with its capacity_kwh, or give grams_per_kwh"
            ),
        ],
    ),
    "a battery that is green by itself": (
        battery(", grams_per_kwh: 60, renewable: true"),
        ["supply[0].renewable: a battery is as green as what charges it; write charged_from: onsite, or remove this"],
    ),
    "a battery without a size": (
        ROOF + battery(", charged_from: onsite"),
        ["supply[1]: lacks the key `capacity_kwh`; add how much it holds, which limits what of it can be green"],
    ),
    "a battery with a size that is of no use": (
        battery(", grams_per_kwh: 60, capacity_kwh: 5, efficiency: 0.9"),
        [
            "supply[0].capacity_kwh: is used with charged_from: onsite alone; add that or remove this",
            "supply[0].efficiency: is used with charged_from: onsite alone; add that or remove this",
        ],
    ),
    "a battery that nothing green charges": (
        f"- {{kind: onsite, name: roof, certificates_sold: true, {METER}}}\n"
        + battery(", charged_from: onsite, capacity_kwh: 5"),
        [
            (
                "supply[1].charged_from: there is no renewable entry of kind onsite that keeps its certificates; add "
                "it, or write grid"
            )
        ],
    ),
    "no certificates": (
        "- {kind: certificates, name: gec}",
        ["supply[0]: has no lot; list at least one below `certificates`, or remove the entry"],
    ),
    "certificates of coal": (
        lots("vintage: 2026", more=", renewable: false"),
        [
            (
                "supply[0].renewable: certificates of what is neither renewable nor carbon-free cover nothing; "
                "remove the entry"
            )
        ],
    ),
    "the same certificates twice": (
        lots("vintage: 2026") + lots("vintage: 2026").replace("gec", "more"),
        [
            (
                "supply[1].certificates[0].name: `l0` is the name of supply[0].certificates[0] already, and "
                "certificates count once; rename or remove one"
            )
        ],
    ),
    "certificates of no time": (
        lots("unbundled: true", "from: 2026-01-01T00:00:00Z"),
        [
            "supply[0].certificates[0]: does not tell when it was generated; add a vintage (a year), or from and to",
            "supply[0].certificates[1]: does not tell when it was generated; add a vintage (a year), or from and to",
        ],
    ),
    "certificates of two times": (
        lots("vintage: 2026, from: 2026-01-01T00:00:00Z, to: 2026-02-01T00:00:00Z"),
        ["supply[0].certificates[0].vintage: tells when it was generated, and so do from and to; keep one of them"],
    ),
    "certificates that end before they begin": (
        lots("from: 2026-02-01T00:00:00Z, to: 2026-01-01T00:00:00Z"),
        ["supply[0].certificates[0].to: is not after `from`; exchange the two or correct one"],
    ),
    "certificates that lapse before they are made": (
        lots("vintage: 2026, valid_until: 2025-12-31T00:00:00Z"),
        ["supply[0].certificates[0].valid_until: is before it was generated; correct one of them"],
    ),
    "half a certificate": (
        lots("vintage: 2026").replace("mwh: 1", "mwh: 1.5"),
        [
            (
                "supply[0].certificates[0].mwh: is not a whole number, and a certificate is of 1 MWh; write how many "
                "there are"
            )
        ],
    ),
    "a time zone that nothing needs": (
        lots("from: 2026-01-01T00:00:00Z, to: 2026-02-01T00:00:00Z", more=", timezone: UTC"),
        ["supply[0].timezone: is used with a vintage alone; remove it"],
    ),
    "certificates that may be those of a contract": (
        ROOF + WIND + lots("vintage: 2026"),
        [
            (
                "supply[2].certificates[0]: may count twice, beside `roof` and `wind`; write contract: NAME where "
                "they came with that power (then they count with it), or unbundled: true where they were bought apart"
            )
        ],
    ),
    "certificates of a contract that there is not": (
        WIND + lots("vintage: 2026, contract: gec"),
        [
            (
                "supply[1].certificates[0].contract: `gec` is the name of no entry that certificates come with; "
                "correct it, or write unbundled: true"
            )
        ],
    ),
    "certificates of a contract that counts for nothing": (
        "- {kind: contract, name: grey, scope: intra, share: 1, renewable: false, grams_per_kwh: 700}\n"
        + lots("vintage: 2026, contract: grey"),
        [
            (
                "supply[1].certificates[0].contract: `grey` counts as neither renewable nor carbon-free, so these "
                "did not come with it; correct it, or write unbundled: true here"
            )
        ],
    ),
    "certificates that came with power and did not": (
        WIND + lots("vintage: 2026, contract: wind, unbundled: true"),
        [
            (
                "supply[1].certificates[0].unbundled: says that they came with no power, and `contract` that they "
                "did; keep one"
            )
        ],
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT.keys())
def test_what_can_be_meant_is_taken(text: str) -> None:
    assert list(supply_mistakes(supply_entries(text))) == []


@pytest.mark.parametrize(("text", "mistakes"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_meant_is_told_with_its_key_and_a_cure(text: str, mistakes: list[str]) -> None:
    assert [f"{key}: {message}" for key, message in supply_mistakes(supply_entries(text))] == mistakes
