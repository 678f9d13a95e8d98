"""Certification d'ingénierie: the certificate of an engineering firm, and the qualifications written in it."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from config.quotas import JSON_RESOURCES
from providers.base import PERIMETER, Call, Contract, Empty, Endpoint, Failure, Get, Provider, Single, Wire

OPQIBI = Provider(
    slug="opqibi",
    code="11",
    name="OPQIBI",
    base_url="https://opqibi.example",
    headers=lambda call: {"content-type": "application/json"},
)
"""A public service: no token, no account."""


def _day(text: Any) -> date | None:
    """A date whose day comes first; what is no date counts as unknown."""
    try:
        return datetime.strptime(text.strip(), "%d/%m/%Y").date()  # noqa: DTZ007  a calendar date
    except (AttributeError, ValueError):
        return None


def _flag(value: Any) -> bool | None:
    """Only the texts 1 and 0 say something."""
    return {"1": True, "0": False}.get(value) if isinstance(value, str) else None


Day = Annotated[date | None, BeforeValidator(_day)]


class QualificationEnvoyee(Wire):
    """A qualification as OPQIBI sends it."""

    nom: str | None = Field(None, alias="Nom")
    code: str | None = Field(None, alias="CodeQualification")
    definition: str | None = Field(None, alias="Definition")
    rge: Annotated[bool | None, BeforeValidator(_flag)] = None


class CertificatEnvoye(Wire):
    """What OPQIBI sends. Both lists are always there, the second often empty; its date then is not."""

    numero: str | None = Field(None, alias="numero_certificat")
    url: str | None = None
    delivrance: Day = Field(None, alias="date_de_delivrance_du_certificat")
    duree: str | None = Field(None, alias="duree_de_validite_du_certificat")
    assurance: str | None = None
    qualifications: list[QualificationEnvoyee]
    validite: Day = Field(None, alias="date_de_validite_des_qualification")  # their spelling
    probatoires: list[QualificationEnvoyee] = Field(alias="qualifications_probatoires")
    validite_probatoires: Day = Field(None, alias="date_de_validite_des_qualifications_probatoires")


class Qualification(Contract):
    """One qualification."""

    nom: str | None = Field(title="Nom de la qualification", examples=["Étude d'éclairage intérieur"])
    code_qualification: str | None = Field(title="Code de la qualification", examples=["1419"])
    definition: str | None = Field(
        title="Prestations couvertes", examples=["Conception des installations d'éclairage d'un bâtiment."]
    )
    rge: bool | None = Field(
        title="Mention RGE",
        description="Si la qualification porte la mention « reconnu garant de l'environnement ». Nul quand l'OPQIBI "
        "ne le dit pas.",
        examples=[True],
    )


class Certification(Contract):
    """The certificate and its qualifications."""

    numero_certificat: str | None = Field(title="Numéro du certificat", examples=["07 11 0042"])
    date_delivrance_certificat: date | None = Field(title="Date de délivrance du certificat", examples=["2023-09-14"])
    duree_validite_certificat: str | None = Field(
        title="Durée de validité du certificat",
        description="En toutes lettres, comme l'OPQIBI l'écrit.",
        examples=["valable un an"],
    )
    assurances: str | None = Field(
        title="Assureurs qui reconnaissent le certificat",
        description="Leurs noms, séparés par des tirets.",
        examples=["ASSURANCE FICTIVE - MUTUELLE INVENTÉE"],
    )
    url: str | None = Field(
        title="Page du certificat sur le site de l'OPQIBI", examples=["https://opqibi.example/fiche/42"]
    )
    qualifications: list[Qualification] = Field(
        title="Qualifications",
        description="Prestations que l'entreprise sait réaliser et a déjà réalisées.",
    )
    date_validite_qualifications: date | None = Field(
        title="Fin de validité des qualifications", examples=["2027-09-13"]
    )
    qualifications_probatoires: list[Qualification] = Field(
        title="Qualifications probatoires",
        description="Prestations que l'entreprise sait réaliser, sans les avoir encore assez réalisées.",
    )
    date_validite_qualifications_probatoires: date | None = Field(
        title="Fin de validité des qualifications probatoires",
        description="Nulle en l'absence de qualification probatoire.",
        examples=["2025-09-13"],
    )


CertificationIngenierie = Single[Certification, Empty, Empty]


def normalise(sent: CertificatEnvoye, call: Call) -> CertificationIngenierie:
    """The certificate, its members named as the contract does."""
    del call
    data = Certification(
        numero_certificat=sent.numero,
        date_delivrance_certificat=sent.delivrance,
        duree_validite_certificat=sent.duree,
        assurances=sent.assurance,
        url=sent.url,
        qualifications=[_qualification(one) for one in sent.qualifications],
        date_validite_qualifications=sent.validite,
        qualifications_probatoires=[_qualification(one) for one in sent.probatoires],
        date_validite_qualifications_probatoires=sent.validite_probatoires,
    )
    return CertificationIngenierie(data=data, links=Empty(), meta=Empty())


def _qualification(sent: QualificationEnvoyee) -> Qualification:
    return Qualification(nom=sent.nom, code_qualification=sent.code, definition=sent.definition, rge=sent.rge)


certification_ingenierie_v3 = Endpoint(
    operation_id="api_entreprise_v3_opqibi_certifications_ingenierie",
    path="/v3/opqibi/unites_legales/{siren}/certification_ingenierie",
    title="Certification d'ingénierie",
    description="Certificat de l'OPQIBI : qualifications d'une entreprise d'ingénierie, acquises ou probatoires.",
    tag="Certifications professionnelles",
    scopes=frozenset({"certificat_opqibi", "certification_opqibi", "open_data"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=OPQIBI,
    request=lambda call: Get(f"/certificats/{call.siren}"),
    wire=CertificatEnvoye,
    failures=(
        Failure.NOT_FOUND.when(
            status=404,
            detail=f"L'OPQIBI ne connaît aucun certificat pour ce SIREN, ou ce SIREN n'existe pas. {PERIMETER}",
        ),
    ),
    normalise=normalise,
)
