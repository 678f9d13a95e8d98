"""Chiffres d'affaires: the turnover a company declared to DGFIP, one item per exercice."""

import re
from datetime import date
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from config.quotas import JSON_RESOURCES
from providers.base import (
    Cache,
    Call,
    Collection,
    Contract,
    Empty,
    Endpoint,
    Failure,
    Get,
    OneOrMany,
    Reply,
    Single,
    Tool,
    Wire,
)
from providers.base.models import first_characters
from providers.dgfip.adelie import ADELIE, DECLARED_ERROR, OPERATIONS


def _integer_part(text: object) -> int:
    """An amount as text; what is no number counts as nothing declared."""
    found = re.match(r"\s*([+-]?\d+)", str(text))
    return int(found[1]) if found else 0


class Exercice(Wire):
    """What DGFIP sends: an amount as text, a date with a time zone that is not to be applied."""

    ca: Annotated[int, BeforeValidator(_integer_part)]
    fin: Annotated[date, BeforeValidator(first_characters(10))] = Field(alias="dateFinExercice")


class Declarations(Wire):
    """One exercice comes as a bare object, several as a list."""

    exercices: OneOrMany[Exercice] = Field(validation_alias=AliasChoices("liste_ca"))


class ChiffreAffaires(Contract):
    """What the contract promises of one exercice."""

    chiffre_affaires: int = Field(title="Chiffre d'affaires, en euros", examples=[1250000])
    date_fin_exercice: date = Field(title="Dernier jour de l'exercice", examples=["2024-12-31"])


class Compte(Contract):
    """The meta of the list, which the contract leaves open: its member is told, and not described."""

    count: SkipJsonSchema[int] = Field(title="Nombre d'exercices")


ChiffresAffaires = Collection[ChiffreAffaires, Empty, Compte]


def normalise(sent: Declarations, call: Call) -> ChiffresAffaires:
    """One item for each exercice, in the order of the wire."""
    del call
    items = [
        Single[ChiffreAffaires, Empty, Empty](
            data=ChiffreAffaires(chiffre_affaires=exercice.ca, date_fin_exercice=exercice.fin),
            links=Empty(),
            meta=Empty(),
        )
        for exercice in sent.exercices
    ]
    return ChiffresAffaires(data=items, meta=Compte(count=len(items)), links=Empty())


def nothing_declared(reply: Reply) -> bool:
    """With a 200, DGFIP has three ways to say so."""
    return reply.status == 200 and (reply.text.strip() in ("", "null") or reply.find("liste_ca") == [])


chiffres_affaires_v3 = Endpoint(
    operation_id="api_entreprise_v3_dgfip_chiffres_affaires",
    path="/v3/dgfip/etablissements/{siret}/chiffres_affaires",
    mcp=Tool(name="dgfip.chiffres_affaires"),
    title="Chiffre d'affaires",
    description="Chiffres d'affaires des derniers exercices déclarés à la DGFIP par l'entreprise.",
    tag="Informations financières",
    scopes=frozenset({"exercices", "chiffre_affaires_dgfip"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=ADELIE,
    request=lambda call: Get(f"{OPERATIONS}/chiffreAffaires", {"userId": call.user_id, "siret": call.siret}),
    wire=Declarations,
    failures=(
        Failure.NOT_FOUND.when(status=(204, 404)),
        Failure.NOT_FOUND.when(nothing_declared),
        DECLARED_ERROR,
    ),
    normalise=normalise,
    accumulates=True,
)
