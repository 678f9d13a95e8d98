"""What the simulated registers serve: VIES, customs, collective agreements, trades, grants."""

from operator import attrgetter

import pytest

from providers import cma_rnm, conventions_collectives, data_subvention, djepva, douanes, rna, vies
from providers.base import Endpoint, Ping, Retriever
from providers.conventions_collectives.simulated import AGREEMENTS
from providers.simulator.vocabulary import read_vocabulary
from providers.simulator.world import SHOWCASE, World
from tests.simulator.adapters import ask
from tests.simulator.conftest import Caller, recorded

ADAPTERS = [
    folder.ADAPTER for folder in (cma_rnm, conventions_collectives, data_subvention, djepva, douanes, rna, vies)
]
SHOWN = {
    "siren": SHOWCASE.siren,
    "siret": SHOWCASE.siret,
    "siret_or_eori": SHOWCASE.siret,
    "siret_or_rna": SHOWCASE.rna,
    "siren_or_rna": SHOWCASE.rna,
    "siren_or_siret_or_rna": SHOWCASE.rna,
}


@pytest.mark.parametrize(
    "endpoint", [e for adapter in ADAPTERS for e in adapter.endpoints], ids=attrgetter("operation_id")
)
async def test_a_demonstration_gets_an_answer_from_each_operation(caller: Caller, endpoint: Endpoint) -> None:
    (parameter,) = endpoint.all_parameters

    answer = await ask(caller, endpoint, **{parameter.name: SHOWN[parameter.name]})

    assert isinstance(answer, dict)
    assert answer["data"]


@pytest.mark.parametrize("ping", [ping for adapter in ADAPTERS for ping in adapter.pings], ids=attrgetter("path"))
async def test_what_a_ping_asks_for_is_there(caller: Caller, ping: Ping) -> None:
    assert isinstance(ping.driver, Retriever)

    answer = await ask(caller, ping.driver.endpoint, **ping.driver.identifiers)

    assert isinstance(answer, dict)


def keys(told: object, above: str = "") -> set[str]:
    """Where the members of a JSON document stand, whatever they hold."""
    if isinstance(told, dict):
        return {f"{above}/{name}" for name in told}.union(
            *(keys(value, f"{above}/{name}") for name, value in told.items())
        )
    if isinstance(told, list):
        return set().union(*(keys(item, above) for item in told))
    return set()


async def test_vies_confirms_the_numbers_of_those_who_trade(caller: Caller, world: World) -> None:
    numbers = [world.company(siren).tva[2:] for siren in (SHOWCASE.siren, "000010058", "000020016")]  # type: ignore[union-attr]
    numbers += ["00" + SHOWCASE.siren, "27999999999", "x"]

    replies = [
        (await caller.client.get(f"/vies.example/taxation_customs/vies/rest-api/ms/FR/vat/{number}")).json()
        for number in numbers
    ]

    assert [(reply["isValid"], reply["userError"]) for reply in replies] == [(True, "VALID"), *[(False, "INVALID")] * 5]
    assert all(keys(reply) == keys(real) for reply in replies for real in recorded("vies", "/vat/"))


@pytest.mark.parametrize(
    ("identifier", "status"),
    [
        (SHOWCASE.siret, 200),
        ("FR" + SHOWCASE.siret, 200),
        ("FR16002307300010", 200),
        ("00001003300017", 404),
        ("BE9999999999", 404),
        ("BE_", 400),
    ],
)
async def test_customs_know_french_numbers(caller: Caller, identifier: str, status: int) -> None:
    reply = await caller.client.get(f"/douanes.example/eori/{identifier}", params={"idClient": "known"})

    assert reply.status_code == status
    assert reply.json().keys() == ({"EORI"} if status == 200 else {"erreur"})


async def test_customs_ask_who_calls(caller: Caller) -> None:
    assert (await caller.client.get(f"/douanes.example/eori/{SHOWCASE.siret}")).status_code == 401


def test_every_agreement_of_a_trade_has_its_name() -> None:
    trades = [activity for group in read_vocabulary().activities.values() for activity in group]

    assert {number for trade in trades for number in trade.conventions} <= AGREEMENTS.keys()


async def test_agreements_are_those_of_the_trade(caller: Caller) -> None:
    service = "/conventions-collectives.example/siret2idcc"

    several = (await caller.client.get(f"{service}/{SHOWCASE.siret}")).json()
    none = (await caller.client.get(f"{service}/{SHOWCASE.recipient}")).json()
    unknown = await caller.client.get(f"{service}/{SHOWCASE.siret_absent}")

    assert [(row["num"], row.get("etat")) for row in several[0]["conventions"]] == [
        (1597, "VIGUEUR_ETEN"),
        (2609, None),
        (2420, None),
    ]
    assert none == [{"siret": SHOWCASE.recipient, "conventions": []}]
    assert (unknown.status_code, unknown.content) == (404, b"")


async def test_the_trades_register_knows_craftsmen(caller: Caller) -> None:
    known = await caller.client.get(f"/cma-rnm.example/v2/entreprises/{SHOWCASE.siren}", params={"format": "json"})
    unknown = await caller.client.get("/cma-rnm.example/v2/entreprises/000010025", params={"format": "json"})

    assert known.json()["ent_id_siren"] == SHOWCASE.siren
    assert all(keys(known.json()) <= keys(real) for real in recorded("cma_rnm", "/entreprises/") if len(real) > 10)
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "text/html;charset=ISO-8859-1"


async def test_grants_are_given_to_who_logged_in(caller: Caller) -> None:
    login = await caller.client.post("/data-subvention.example/auth/login", json={"email": "a", "password": "b"})
    headers = {"x-access-token": login.json()["user"]["jwt"]["token"]}
    url = f"/data-subvention.example/association/{SHOWCASE.rna}/grants"

    known = await caller.client.get(url, headers=headers)
    company = await caller.client.get(url.replace(SHOWCASE.rna, SHOWCASE.siren), headers=headers)
    refused = [await caller.client.get(url), await caller.client.get(url, headers={"x-access-token": "x"})]
    await caller.control("expire-tokens")

    assert known.status_code == 200
    assert {kind for row in known.json()["subventions"] for kind, value in row.items() if value} == {
        "application",
        "payments",
    }
    assert company.status_code == 404
    assert [reply.status_code for reply in refused] == [401, 401]
    assert (await caller.client.get(url, headers=headers)).status_code == 401


async def test_a_login_needs_both_credentials(caller: Caller) -> None:
    reply = await caller.client.post("/data-subvention.example/auth/login", json={"email": "a"})

    assert reply.status_code == 401
