"""Certificats: those that an electrical company holds, one item for each qualification."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, RootModel
from pydantic.json_schema import SkipJsonSchema

from config.clock import PARIS
from config.quotas import JSON_RESOURCES
from providers.base import (
    PERIMETER,
    Call,
    Collection,
    Contract,
    Empty,
    Endpoint,
    Failure,
    Get,
    Login,
    OneOrMany,
    Provider,
    Reply,
    Single,
    Wire,
)
from providers.base.access import expiring_jwt

QUALIFELEC = Provider(
    slug="qualifelec",
    code="32",
    name="Qualifelec",
    base_url="https://qualifelec.example/certificates",
    token_url="https://qualifelec.example/auth",  # noqa: S106  an address, not a secret
    authentication=Login(
        secrets={"username": "username", "password": "password"}, as_json=True, read=expiring_jwt("token")
    ),
    headers=lambda call: {"content-type": "application/json"},
)


def _moment(seconds: int) -> int:
    """Seconds since 1970, refused where no calendar has them."""
    try:
        datetime.fromtimestamp(seconds, PARIS)
    except (OverflowError, OSError) as error:
        raise ValueError("no such moment") from error
    return seconds


def _day(seconds: int | None) -> date | None:
    """The date in Paris: midnight there is still the day before in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, PARIS).date()


def _object(value: Any) -> Any:
    """An empty list stands for an absent object."""
    return value or None


Moment = Annotated[int, AfterValidator(_moment)]


class RepereEnvoye(Wire):
    """A code and its label, as Qualifelec sends them."""

    code: str | None = None
    label: str | None = None


class ClassificationEnvoyee(Wire):
    """The class by head count."""

    code: int | None = None
    label: str | None = None


class CertificatEnvoye(Wire):
    """A certificate as Qualifelec sends it: moments in epoch seconds."""

    url: str | None = None
    num: int | None = None
    rge: bool | None = None
    debut: Moment | None = Field(None, alias="start_date")
    fin: Moment | None = Field(None, alias="end_date")
    label: str | None = None
    qualification_debut: Moment | None = Field(None, alias="qualification_start_date")
    qualification_fin: Moment | None = Field(None, alias="qualification_end_date")
    indices: OneOrMany[RepereEnvoye] = Field([], alias="indexes")
    mentions: OneOrMany[RepereEnvoye] = Field([])
    domaines: OneOrMany[RepereEnvoye] = Field([], alias="domains")
    classification: Annotated[ClassificationEnvoyee | None, BeforeValidator(_object)] = None
    decennale: str | None = Field(None, alias="decennial_insurance")
    decennale_debut: Moment | None = Field(None, alias="decennial_insurance_start_date")
    decennale_fin: Moment | None = Field(None, alias="decennial_insurance_end_date")
    civile: str | None = Field(None, alias="liability_insurance")
    civile_debut: Moment | None = Field(None, alias="liability_insurance_start_date")
    civile_fin: Moment | None = Field(None, alias="liability_insurance_end_date")


CertificatsEnvoyes = RootModel[list[CertificatEnvoye]]


class Indice(Contract):
    """What the qualification covers, by volume of works or power."""

    label: str | None = Field(title="Libellé de l'indice", examples=["Indice fictif 2"])
    code: str | None = Field(title="Code de l'indice", examples=["LCPT2"])


class Mention(Contract):
    """A complement of the qualification."""

    label: str | None = Field(title="Libellé de la mention", examples=["Colonnes montantes 1"])
    code: str | None = Field(title="Code de la mention", examples=["CMO1"])


class Domaine(Contract):
    """A trade within the qualification."""

    label: str | None = Field(title="Libellé du domaine", examples=["Courants forts 1"])
    code: str | None = Field(title="Code du domaine", examples=["CF1"])


class Classification(Contract):
    """The class of a company by its head count."""

    code: int | None = Field(title="Code de la classe", examples=[3])
    label: str | None = Field(title="Libellé de la classe", examples=["Classe 3 - de 10 à 19 exécutants"])


class Qualification(Contract):
    """What the company is qualified for."""

    label: str | None = Field(
        title="Libellé de la qualification", examples=["Installations électriques, logement et commerce - LCPT"]
    )
    date_debut: date | None = Field(title="Début de validité de la qualification", examples=["2023-02-01"])
    date_fin: date | None = Field(
        title="Fin de validité de la qualification",
        description="Quatre ans après le début, ou deux pour une qualification probatoire.",
        examples=["2027-01-31"],
    )
    indices: list[Indice] = Field(title="Indices", description="Type et volume des travaux, puissance ou technicité.")
    mentions: list[Mention] = Field(title="Mentions", description="Compléments d'activité.")
    domaines: list[Domaine] = Field(
        title="Domaines", description="Activités particulières au sein de la qualification."
    )
    classification: Classification = Field(
        title="Classification",
        description="Effectif permanent affecté aux travaux. Le code et le libellé sont nuls quand Qualifelec n'en "
        "donne pas, pour une qualification probatoire par exemple.",
    )


class Assurance(Contract):
    """An insurance that Qualifelec has checked."""

    nom: str | None = Field(title="Nom de l'assureur", examples=["ASSURANCE FICTIVE"])
    date_debut: date | None = Field(title="Début de validité de l'attestation d'assurance", examples=["2025-01-01"])
    date_fin: date | None = Field(title="Fin de validité de l'attestation d'assurance", examples=["2025-12-31"])


class Certificat(Contract):
    """One certificate."""

    document_url: str | None = Field(
        title="Lien vers le certificat",
        description="Adresse du document chez Qualifelec, sans durée de vie annoncée.",
        examples=["https://qualifelec.example/certificats/42.pdf"],
    )
    numero: int | None = Field(title="Numéro du certificat", examples=[4242])
    rge: bool | None = Field(title="Label RGE", description="Reconnu garant de l'environnement.", examples=[True])
    date_debut: date | None = Field(title="Début de validité du certificat", examples=["2025-02-01"])
    date_fin: date | None = Field(title="Fin de validité du certificat", examples=["2026-01-31"])
    qualification: Qualification = Field(title="Qualification certifiée")
    assurance_decennale: Assurance = Field(title="Assurance décennale, vérifiée à l'édition du certificat")
    assurance_civile: Assurance = Field(title="Assurance de responsabilité civile, vérifiée à l'édition du certificat")


class Compte(Contract):
    """The meta of the list, which the contract leaves open: its member is told, and not described."""

    count: SkipJsonSchema[int | None] = Field(title="Nombre de certificats", description="Toujours nul.")


Certificats = Collection[Certificat, Empty, Compte]


def normalise(sent: RootModel[list[CertificatEnvoye]], call: Call) -> Certificats:
    """One item for each certificate, in the order of the wire."""
    del call
    items = [Single[Certificat, Empty, Empty](data=_certificat(one), links=Empty(), meta=Empty()) for one in sent.root]
    return Certificats(data=items, meta=Compte(count=None), links=Empty())


def _certificat(sent: CertificatEnvoye) -> Certificat:
    return Certificat(
        document_url=sent.url,
        numero=sent.num,
        rge=sent.rge,
        date_debut=_day(sent.debut),
        date_fin=_day(sent.fin),
        qualification=_qualification(sent),
        assurance_decennale=Assurance(
            nom=sent.decennale, date_debut=_day(sent.decennale_debut), date_fin=_day(sent.decennale_fin)
        ),
        assurance_civile=Assurance(nom=sent.civile, date_debut=_day(sent.civile_debut), date_fin=_day(sent.civile_fin)),
    )


def _qualification(sent: CertificatEnvoye) -> Qualification:
    classe = sent.classification or ClassificationEnvoyee()
    return Qualification(
        label=sent.label,
        date_debut=_day(sent.qualification_debut),
        date_fin=_day(sent.qualification_fin),
        indices=[Indice(label=one.label, code=one.code) for one in sent.indices],
        mentions=[Mention(label=one.label, code=one.code) for one in sent.mentions],
        domaines=[Domaine(label=one.label, code=one.code) for one in sent.domaines],
        classification=Classification(code=classe.code, label=classe.label),
    )


def holds_none(reply: Reply) -> bool:
    """An establishment that Qualifelec knows, without a certificate."""
    return reply.status == 200 and reply.is_json and reply.json() == []


def says_unknown(reply: Reply) -> bool:
    """A failure that only its body tells."""
    return reply.status == 200 and reply.find("code") == 404


UNKNOWN = f"Qualifelec ne connaît pas ce SIRET, ou ce SIRET n'existe pas. {PERIMETER}"

certificats_v3 = Endpoint(
    operation_id="api_entreprise_v3_qualifelec_certificats",
    path="/v3/qualifelec/etablissements/{siret}/certificats",
    title="Certificats Qualifelec",
    description="Certificats en cours de validité d'une entreprise du génie électrique et énergétique, RGE ou non.",
    tag="Certifications professionnelles",
    scopes=frozenset({"open_data"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=QUALIFELEC,
    request=lambda call: Get(f"/{call.siret}"),
    wire=CertificatsEnvoyes,
    failures=(
        Failure.NOT_FOUND.when(says_unknown, status=404, detail=UNKNOWN),
        Failure.NOT_FOUND.when(
            holds_none,
            detail=f"Qualifelec connaît cet établissement, qui ne possède aucun certificat en cours. {PERIMETER}",
        ),
    ),
    normalise=normalise,
)
