"""Certification RGE: the certificates an establishment holds for works that save energy, one item each."""

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from config.quotas import JSON_RESOURCES
from providers.base import (
    PERIMETER,
    Call,
    Collection,
    Contract,
    Empty,
    Endpoint,
    Failure,
    Formats,
    Get,
    Key,
    Parameter,
    Provider,
    Reply,
    Request,
    Single,
    Wire,
)
from providers.base.models import first_characters

ADEME = Provider(
    slug="ademe",
    code="19",
    name="ADEME",
    base_url="https://ademe.example/lines",
    authentication=Key(in_headers={"x-apiKey": "api_key"}),
    headers=lambda call: {"referer": call.base, "content-type": "application/json"},
)

MOST = 1000
"""Results of one call, unless fewer are asked for; there is no second page."""


def _limit(text: str, _: datetime) -> int | None:
    """The integer at the beginning of the text; all of them where the text is blank."""
    if not text.strip():
        return MOST
    found = re.match(r"\s*\+?(\d{1,4})(?![\d_])", text)
    return int(found[1]) if found and 1 <= int(found[1]) <= MOST else None


LIMIT = Parameter(
    name="limit",
    format=Formats.LIMIT,
    read=_limit,
    title="Nombre de certificats à donner, au plus",
    where="query",
    required=False,
    schema={"type": "integer", "minimum": 1, "maximum": MOST, "default": MOST},
    example=MOST,
)


class Resultat(Wire):
    """A line of ADEME's table. Those of its own dates that are used are the links' with the certifying body."""

    url: str | None = Field(None, alias="url_qualification")
    nom_certificat: str | None = None
    domaine: str | None = None
    meta_domaine: str | None = None
    code: str | None = Field(None, alias="code_qualification")
    nom: str | None = Field(None, alias="nom_qualification")
    organisme: str | None = None
    debut: str | None = Field(None, alias="lien_date_debut")
    fin: str | None = Field(None, alias="lien_date_fin")
    identifiant: str | None = Field(None, alias="_id")
    archive: bool | None = Field(None, alias="traitement_termine")
    mise_a_jour: Annotated[date | None, BeforeValidator(first_characters(10))] = Field(None, alias="_updatedAt")


class Resultats(Wire):
    """What ADEME sends."""

    results: list[Resultat]


class Qualification(Contract):
    """What the certificate is for."""

    code: str | None = Field(title="Code de la qualification", examples=["8611M12D108"])
    nom: str | None = Field(title="Nom de la qualification", examples=["Efficacité énergétique - Chauffagiste"])


class Enregistrement(Contract):
    """The line of ADEME's table."""

    internal_id: str | None = Field(
        title="Identifiant dans la base de l'ADEME", examples=["F42-8611M12D108-2025-03-30"]
    )
    archived: bool | None = Field(
        title="Certificat archivé", description="Toujours faux : les archives ne sont pas demandées.", examples=[False]
    )
    updated_at: date | None = Field(title="Date de mise à jour dans la base de l'ADEME", examples=["2025-03-30"])


class Certificat(Contract):
    """One certificate."""

    url: str | None = Field(
        title="Lien vers le certificat",
        description="Adresse du document chez l'organisme de certification, telle que l'ADEME la donne.",
        examples=["https://qualibat.example/certificats/42.pdf"],
    )
    nom_certificat: str | None = Field(title="Nom du certificat", examples=["QUALIBAT-RGE"])
    domaine: str | None = Field(title="Domaine des travaux", examples=["Ventilation mécanique"])
    meta_domaine: str | None = Field(title="Famille du domaine", examples=["Travaux d'efficacité énergétique"])
    qualification: Qualification = Field(title="Qualification certifiée")
    organisme: str | None = Field(title="Organisme de certification", examples=["qualibat"])
    date_attribution: str | None = Field(title="Date d'attribution", examples=["2024-01-24"])
    date_expiration: str | None = Field(title="Date d'expiration", examples=["2028-01-23"])
    meta: Enregistrement = Field(title="Enregistrement dans la base de l'ADEME")


CertificationRge = Collection[Certificat, Empty, Empty]


def normalise(sent: Resultats, call: Call) -> CertificationRge:
    """One item for each line, in the order of the wire."""
    del call
    items = [
        Single[Certificat, Empty, Empty](data=_certificat(one), links=Empty(), meta=Empty()) for one in sent.results
    ]
    return CertificationRge(data=items, meta=Empty(), links=Empty())


def _certificat(sent: Resultat) -> Certificat:
    return Certificat(
        url=sent.url,
        nom_certificat=sent.nom_certificat,
        domaine=sent.domaine,
        meta_domaine=sent.meta_domaine,
        qualification=Qualification(code=sent.code, nom=sent.nom),
        organisme=sent.organisme,
        date_attribution=sent.debut,
        date_expiration=sent.fin,
        meta=Enregistrement(internal_id=sent.identifiant, archived=sent.archive, updated_at=sent.mise_a_jour),
    )


def holds_none(reply: Reply) -> bool:
    """No line answers the question: the only way in which ADEME says so."""
    return reply.status == 200 and reply.find("results") == []


def request(call: Call) -> Request:
    """A question in ADEME's query language; the SIRET was checked, so that nothing else gets into it."""
    return Get("", {"size": call["limit"] or MOST, "qs": f"siret:{call.siret} AND traitement_termine:false"})


certification_rge_v3 = Endpoint(
    operation_id="api_entreprise_v3_ademe_certificats_rge",
    path="/v3/ademe/etablissements/{siret}/certification_rge",
    title="Certification RGE",
    description="Certificats RGE (reconnu garant de l'environnement) d'un établissement : organisme, domaine, dates.",
    tag="Certifications professionnelles",
    scopes=frozenset({"certificat_rge_ademe", "open_data"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=ADEME,
    request=request,
    wire=Resultats,
    parameters=(LIMIT,),
    failures=(
        Failure.NOT_FOUND.when(
            holds_none,
            detail=f"L'ADEME ne connaît aucun certificat RGE en cours sous ce SIRET, ou il n'existe pas. {PERIMETER}",
        ),
    ),
    normalise=normalise,
)
