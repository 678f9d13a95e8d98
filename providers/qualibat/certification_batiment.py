"""Certification bâtiment: the certificate of a building company, as a PDF, and what it says."""

from datetime import date

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from config.quotas import LOW_LATENCY_DOCUMENTS
from providers.base import (
    DOCUMENT_SECONDS,
    PERIMETER,
    Cache,
    Call,
    Contract,
    Document,
    Empty,
    Endpoint,
    Failure,
    Get,
    Login,
    Provider,
    Reply,
    Single,
    Tool,
)
from providers.base.models import named_in_contract
from providers.base.pdf import is_another_file
from providers.qualibat import certificat
from providers.qualibat.certificat import Extrait, extract

QUALIBAT = Provider(
    slug="qualibat",
    code="06",
    name="Qualibat",
    base_url="https://qualibat.example",
    token_url="/token",  # noqa: S106  an address, not a secret
    authentication=Login(basic=("username", "password")),
)


class Certificat(Contract):
    """The certificate: a link, for a day."""

    document_url: str = Field(
        title="Lien vers le certificat Qualibat (PDF)",
        examples=["https://octroi.example/proxy/files/…/certificat_qualibat.pdf"],
    )
    expires_in: int = Field(title="Durée de vie du lien, en secondes", examples=[DOCUMENT_SECONDS])


class Assurance(Contract):
    """An insurer. Both members are null where the certificate names none that is known."""

    nom: str | None = Field(title="Nom de l'assureur", examples=["GROUPAMA"])
    identifiant: str | None = Field(title="Numéro du contrat chez l'assureur", examples=["700000000042"])


class Certification(Contract):
    """A qualification."""

    code: str = Field(title="Code de la qualification", examples=["2111"])
    nom: str | None = Field(
        title="Libellé de la qualification",
        description="Celui de la nomenclature de Qualibat ; nul si elle ne connaît pas le code. Le contrat officiel le "
        "nomme `libelle`, mais le service a toujours répondu `nom`.",
        examples=["Maçonnerie et ouvrages en béton armé"],
        json_schema_extra=named_in_contract("libelle"),
    )
    rge: bool = Field(title="Mention RGE", description="Reconnu garant de l'environnement.", examples=[False])
    date_attribution: date | None = Field(
        title="Date d'attribution",
        description="Ou du plus récent renouvellement. Nulle si le calendrier ne la connaît pas.",
        examples=["2024-05-14"],
    )


class Entite(Contract):
    """What the certificate says of the company."""

    assurance_responsabilite_travaux: Assurance = Field(title="Assurance de responsabilité travaux")
    assurance_responsabilite_civile: Assurance = Field(title="Assurance de responsabilité civile")
    certifications: list[Certification] = Field(title="Qualifications", description="Dans l'ordre du certificat.")


class CertificatLu(Contract):
    """The certificate and what it says."""

    document_url: str = Field(
        title="Lien vers le certificat Qualibat (PDF)",
        examples=["https://octroi.example/proxy/files/…/certificat_qualibat.pdf"],
    )
    document_url_expires_in: int = Field(
        title="Durée de vie du lien, en secondes",
        description="Durée technique, sans rapport avec la validité du certificat.",
        examples=[DOCUMENT_SECONDS],
    )
    date_emission: date | None = Field(
        title="Date d'édition du certificat",
        description="Lue dans le document ; nulle si elle n'a pas pu l'être.",
        examples=["2025-10-02"],
    )
    date_fin_validite: date | None = Field(
        title="Fin de validité du certificat",
        description="Lue dans le document ; nulle si elle n'a pas pu l'être.",
        examples=["2026-10-01"],
    )
    entity: Entite = Field(title="Entreprise certifiée")


class Lecture(Contract):
    """The meta of a certificate that was read, which the contract leaves open."""

    extractor_error: SkipJsonSchema[str | None] = Field(
        title="Motif pour lequel le document n'a pas été lu",
        description=f"Nul quand il l'a été. Sinon `{certificat.INVALID_FILE}`, ou le genre de certificat dont la mise "
        "en page n'est pas lue.",
        examples=[None],
    )


CertificationBatiment = Single[Certificat, Empty, Empty]
CertificationBatimentLue = Single[CertificatLu, Empty, Lecture]


def normalise_v3(_: bytes, call: Call) -> CertificationBatiment:
    """The link alone."""
    data = Certificat(document_url=call.document or "", expires_in=DOCUMENT_SECONDS)
    return CertificationBatiment(data=data, links=Empty(), meta=Empty())


def normalise_v4(read: Extrait, call: Call) -> CertificationBatimentLue:
    """The link, and what was read; a certificate that was not is delivered all the same."""
    entity = Entite(
        assurance_responsabilite_travaux=_assurance(read.responsabilite_travaux),
        assurance_responsabilite_civile=_assurance(read.responsabilite_civile),
        certifications=[
            Certification(code=one.code, nom=one.nom, rge=one.rge, date_attribution=one.date_attribution)
            for one in read.attributions
        ],
    )
    data = CertificatLu(
        document_url=call.document or "",
        document_url_expires_in=DOCUMENT_SECONDS,
        date_emission=read.date_emission,
        date_fin_validite=read.date_fin_validite,
        entity=entity,
    )
    return CertificationBatimentLue(data=data, links=Empty(), meta=Lecture(extractor_error=read.error))


def _assurance(read: certificat.Assurance) -> Assurance:
    return Assurance(nom=read.nom, identifiant=read.identifiant)


def says_not_found(reply: Reply) -> bool:
    """A 404 that only the body tells."""
    return bool(reply.find("status_code") == 404)


def is_missing(reply: Reply) -> bool:
    """Qualibat knows of a certificate, but does not have the file."""
    return reply.status == 200 and not reply.body


_ADVICE = """
Cet outil dit si un établissement du bâtiment est certifié par Qualibat, et pour quels travaux.

- Les qualifications, les assureurs et les dates sont lus dans le certificat, un PDF : en cas de doute, le document fait
  foi. Son lien, `document_url`, vit le temps annoncé.
- Une qualification porte la mention RGE ou non : elle seule ouvre droit aux aides à la rénovation énergétique.
- Demandez l'établissement qui fait les travaux : les autres établissements de l'entreprise n'ont pas sa certification.
"""

certification_batiment_v4 = Endpoint(
    operation_id="api_entreprise_v4_qualibat_certifications_batiment",
    path="/v4/qualibat/etablissements/{siret}/certification_batiment",
    mcp=Tool(name="qualibat.certifications_batiment", advice=_ADVICE),
    title="Certification Qualibat",
    description="Certificat Qualibat d'une entreprise du bâtiment, et ce qui y est lu : dates, assureurs, "
    "qualifications avec ou sans mention RGE.",
    tag="Certifications professionnelles",
    scopes=frozenset({"qualibat", "open_data"}),
    quota=LOW_LATENCY_DOCUMENTS,
    cache=Cache.until_end_of_day(),
    provider=QUALIBAT,
    request=lambda call: Get(f"/certificat/{call.siret}"),
    wire=lambda reply: extract(reply.body),
    failures=(
        Failure.INTERNAL.when(status=500),
        Failure.NOT_FOUND.when(
            says_not_found,
            status=404,
            detail=f"Qualibat ne certifie pas l'établissement de ce SIRET, ou ce SIRET n'existe pas. {PERIMETER}",
        ),
        Failure.FILE_EMPTY.when(is_missing),
        Failure.FILE_TYPE.when(is_another_file),
    ),
    document=Document(name="certificat_qualibat.pdf"),
    normalise=normalise_v4,
    key="qualibat/certification_batiment",
)

certification_batiment_v3 = certification_batiment_v4.but(
    operation_id="api_entreprise_v3_qualibat_certifications_batiment",
    path="/v3/qualibat/etablissements/{siret}/certification_batiment",
    description="Certificat Qualibat d'une entreprise du bâtiment.",
    wire=lambda reply: reply.body,
    normalise=normalise_v3,
    deprecated=True,
)
