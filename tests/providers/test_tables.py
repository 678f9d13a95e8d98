"""A table that a provider publishes, with which answers are completed: asked once, never waited for long."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from config.settings import ProviderSettings, UpstreamSettings
from providers.base import Call, ProviderFailed, Upstream
from providers.dgfip import liasses_fiscales_v3
from tests.providers.golden import NOW, MemoryDocuments, MemoryVault

LIASSE = {"declarations": [{"numero_imprime": "2051", "imprime": {"donnees": {"code_nref": "300414", "valeur": "1"}}}]}
DICTIONARY = {
    "dictionnaire": [
        {
            "numero_imprime": "2051",
            "millesimes": {"declaration": [{"code_nref": "300414", "intitule": "Le leur"}]},
        }
    ]
}


def a_call(year: int = 2024) -> Call:
    return Call(
        values={"siren": "999501018", "year": year},
        context="essai",
        object="essai",
        recipient="99950101800013",
        user_id="3fa85f64-5717-4562-b3fc-2c963f66afa6",
        request_id="00000000-0000-4000-8000-000000000001",
        today=date(2026, 4, 28),
        base="https://octroi.test",
    )


class Adelie:
    """ADELIE, whose dictionary answers what it is told to."""

    def __init__(self, dictionary: Callable[[], Any]) -> None:
        self.dictionary = dictionary
        self.liasse: Any = LIASSE
        self.asked: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path.rpartition("/")[2])
        match self.asked[-1]:
            case "token":
                return httpx.Response(200, json={"access_token": "invented", "expires_in": 3600})
            case "dictionnaire":
                answer = self.dictionary()
                return await answer if asyncio.iscoroutine(answer) else answer
        return httpx.Response(200, json=self.liasse)


def an_upstream(adelie: Adelie) -> Upstream:
    return Upstream(
        httpx.MockTransport(adelie),
        UpstreamSettings(maintenance=False),
        {"dgfip": ProviderSettings(client_id="known", client_secret="known")},
        MemoryVault(),
        MemoryDocuments(),
        lambda: NOW,
    )


async def label(upstream: Upstream, year: int = 2024, patience: float = 2) -> str:
    table = replace(liasses_fiscales_v3.table, patience=timedelta(seconds=patience))
    answer = await upstream.fetch(liasses_fiscales_v3.but(table=table), a_call(year))
    found: str = answer.data.declarations[0].donnees[0].intitule
    return found


async def test_a_table_is_asked_once_for_each_name() -> None:
    adelie = Adelie(lambda: httpx.Response(200, json=DICTIONARY))
    upstream = an_upstream(adelie)

    labels = [await label(upstream), await label(upstream), await label(upstream, 2023)]

    assert labels == ["Le leur"] * 3
    assert adelie.asked.count("dictionnaire") == 2


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(404, json={}),
        httpx.Response(503),
        httpx.Response(500, json=DICTIONARY),
        httpx.Response(200, json={"dictionnaire": []}),
        httpx.Response(200, json={"dictionnaire": [{"numero_imprime": ["2051"]}]}),
        httpx.Response(200, text="<html>"),
    ],
    ids=["absent", "unavailable", "error", "empty", "misshapen", "not_json"],
)
async def test_an_answer_goes_without_a_table_that_is_not_given(reply: httpx.Response) -> None:
    adelie = Adelie(lambda: reply)
    upstream = an_upstream(adelie)

    labels = [await label(upstream), await label(upstream)]

    assert labels == ["Capital social ou individuel n"] * 2
    assert adelie.asked.count("dictionnaire") == 2, "a refusal is not kept"
    assert upstream.states() == {"dgfip": "closed"}


async def test_a_table_that_keeps_silent_is_waited_for_once_in_a_while() -> None:
    adelie = Adelie(asyncio.Event().wait)
    upstream = an_upstream(adelie)

    labels = [await label(upstream, patience=0.01), await label(upstream, patience=0.01)]

    assert labels == ["Capital social ou individuel n"] * 2
    assert adelie.asked.count("dictionnaire") == 1


async def test_an_absence_asks_for_no_table() -> None:
    adelie = Adelie(lambda: httpx.Response(200, json=DICTIONARY))
    adelie.liasse = {"declarations": []}

    with pytest.raises(ProviderFailed, match="003"):
        await label(an_upstream(adelie))

    assert "dictionnaire" not in adelie.asked
