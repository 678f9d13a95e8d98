"""Qualiopi et France compétences: what a training establishment declares, what it is certified and habilitated for."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from config.quotas import JSON_RESOURCES
from providers.base import (
    PERIMETER,
    Call,
    Contract,
    Empty,
    Endpoint,
    Failure,
    Get,
    Key,
    OneOrMany,
    Provider,
    Reply,
    Single,
    Wire,
)
from providers.base.models import is_none

CARIF_OREF = Provider(
    slug="carif_oref",
    code="33",
    name="CARIF-OREF",
    base_url="https://carif-oref.example",
    authentication=Key(in_headers={"token-connexion": "api_key"}),
    headers=lambda call: {"accept": "application/json", "content-type": "application/json"},
)

DELETED = "Supprimé"


# What they send. An establishment without declaration or habilitation comes with an object of nulls in their place.


def _day(text: Any) -> date | None:
    """A date whose day comes first, or an ISO one; what is no date counts as unknown."""
    for form in ("%d/%m/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text.strip(), form).date()  # noqa: DTZ007  a calendar date
        except (AttributeError, ValueError):
            continue
    return None


Day = Annotated[date | None, BeforeValidator(_day)]


class DeclarationEnvoyee(Wire):
    """A number under which training is declared. Whether it is still active is not told on."""

    numero: str | None = Field(None, alias="nda")
    date_derniere_declaration: str | None = None
    fin_exercice: str | None = None
    action_formation: bool | None = Field(None, alias="qualiopi_action_formation")
    bilan_competences: bool | None = Field(None, alias="qualiopi_bilan_competence")
    vae: bool | None = Field(None, alias="qualiopi_vae")
    apprentissage: bool | None = Field(None, alias="qualiopi_apprentissage")
    obtention: str | None = Field(None, alias="obtention_qualiopi")
    code_1: str | None = Field(None, alias="code_specialite_1")
    libelle_1: str | None = Field(None, alias="libelle_specialite_1")
    code_2: str | None = Field(None, alias="code_specialite_2")
    libelle_2: str | None = Field(None, alias="libelle_specialite_2")
    code_3: str | None = Field(None, alias="code_specialite_3")
    libelle_3: str | None = Field(None, alias="libelle_specialite_3")


class Certificateur(Wire):
    """Who certifies, by its SIRET."""

    siret: str | None = None


class HabilitationEnvoyee(Wire):
    """What France compétences lets the establishment do for one qualification."""

    code: str | None = Field(None, alias="code_fc")
    actif: bool | None = None
    etat: str | None = Field(None, alias="etat_habilitation")
    date_habilitation: Day = None
    date_fin_enregistrement: Day = None
    date_decision: Day = None
    former: bool | None = Field(None, alias="a_former")
    organiser: bool | None = Field(None, alias="a_organiser")
    certificateurs: OneOrMany[Certificateur] = Field([], alias="certificateur")


class EtablissementEnvoye(Wire):
    """Of the establishment, its number among schools."""

    uai: str | None = None


class UniteLegaleEnvoyee(Wire):
    """Of the company, whether it has several numbers of declaration."""

    multinda: bool | None = None


class Organisme(Wire):
    """What CARIF-OREF sends."""

    siret_actif: str
    etablissement: EtablissementEnvoye | None = None
    unite_legale: UniteLegaleEnvoyee | None = None
    declarations: list[DeclarationEnvoyee] = Field(alias="nda")
    habilitations: list[HabilitationEnvoyee]


# What the contract promises.


class CertificationQualiopi(Contract):
    """What Qualiopi certifies, by kind of training."""

    action_formation: bool | None = Field(title="Actions de formation", examples=[True])
    bilan_competences: bool | None = Field(title="Bilans de compétences", examples=[False])
    validation_acquis_experience: bool | None = Field(title="Validation des acquis de l'expérience", examples=[False])
    apprentissage: bool | None = Field(title="Formation par apprentissage", examples=[False])
    obtention_via_unite_legale: bool | None = Field(
        title="Certification reçue de l'unité légale",
        description="Vrai si elle vient d'un autre établissement de l'unité légale, faux si elle est propre à la "
        "déclaration, nul si cela n'est pas dit.",
        examples=[False],
    )


class Specialite(Contract):
    """A speciality; both members are null where there is none."""

    code: str | None = Field(title="Code de la spécialité", examples=["326"])
    libelle: str | None = Field(title="Libellé de la spécialité", examples=["Informatique et réseaux"])


class Specialites(Contract):
    """Up to three, in no particular order."""

    specialite_1: Specialite = Field(title="Première spécialité")
    specialite_2: Specialite = Field(title="Deuxième spécialité")
    specialite_3: Specialite = Field(title="Troisième spécialité")


class Declaration(Contract):
    """One number of declaration of activity (NDA)."""

    numero_de_declaration: str | None = Field(title="Numéro de déclaration d'activité", examples=["99000000042"])
    actif: bool = Field(
        title="Déclaration active", description="Toujours vrai, gardé pour compatibilité.", examples=[True]
    )
    date_derniere_declaration: str | None = Field(
        title="Date du dernier bilan pédagogique et financier", examples=["2025-04-30"]
    )
    date_debut_exercice: str | None = Field(
        None,
        title="Début de l'exercice de ce bilan",
        description="Promise par le contrat, jamais transmise par le fournisseur : la clé est absente.",
        examples=["2024-01-01"],
        exclude_if=is_none,
    )
    date_fin_exercice: str | None = Field(title="Fin de l'exercice de ce bilan", examples=["2024-12-31"])
    certification_qualiopi: CertificationQualiopi = Field(title="Certification Qualiopi")
    specialites: Specialites = Field(title="Spécialités de formation")


class Habilitation(Contract):
    """What France compétences allows for one qualification."""

    code: str | None = Field(title="Code France compétences", description="`RNCP…` ou `RS…`.", examples=["RNCP00042"])
    actif: bool | None = Field(title="Enregistrement de la certification en cours", examples=[True])
    date_actif: date | None = Field(title="Date de l'habilitation", examples=["2023-02-05"])
    date_fin_enregistrement: date | None = Field(title="Fin de l'enregistrement", examples=["2028-02-04"])
    date_decision: date | None = Field(title="Date de la décision", examples=["2023-01-30"])
    habilitation_pour_former: bool | None = Field(title="Habilitation à former", examples=[True])
    habilitation_pour_organiser_l_evaluation: bool | None = Field(
        title="Habilitation à organiser l'évaluation", examples=[False]
    )
    sirets_organismes_certificateurs: list[str] = Field(
        title="SIRET des organismes certificateurs", examples=[["99950000200012"]]
    )


class OrganismeFormation(Contract):
    """The establishment."""

    siret: str = Field(
        title="SIRET actif de l'établissement",
        description="Celui que CARIF-OREF tient pour actif : il peut être celui d'un successeur.",
        examples=["99950000200012"],
    )
    code_uai: str | None = Field(title="Code UAI", description="Numéro des établissements d'enseignement.")
    unite_legale_avec_plusieurs_nda: bool | None = Field(
        title="Unité légale à plusieurs déclarations d'activité", examples=[False]
    )
    declarations_activites_etablissement: list[Declaration] = Field(title="Déclarations d'activité")
    habilitations_france_competence: list[Habilitation] = Field(title="Habilitations France compétences")


QualiopiFranceCompetences = Single[OrganismeFormation, Empty, Empty]


# From one to the other.


def normalise(sent: Organisme, call: Call) -> QualiopiFranceCompetences:
    """The establishment, without what is deleted and without objects that hold nothing."""
    del call
    data = OrganismeFormation(
        siret=sent.siret_actif,
        code_uai=sent.etablissement.uai if sent.etablissement else None,
        unite_legale_avec_plusieurs_nda=sent.unite_legale.multinda if sent.unite_legale else None,
        declarations_activites_etablissement=[
            _declaration(one) for one in sent.declarations if one != DeclarationEnvoyee()
        ],
        habilitations_france_competence=[
            _habilitation(one) for one in sent.habilitations if one.etat != DELETED and not _is_void(one)
        ],
    )
    return QualiopiFranceCompetences(data=data, links=Empty(), meta=Empty())


def _is_void(sent: HabilitationEnvoyee) -> bool:
    return all(one.siret is None for one in sent.certificateurs) and sent == HabilitationEnvoyee(
        certificateurs=sent.certificateurs
    )


def _declaration(sent: DeclarationEnvoyee) -> Declaration:
    return Declaration(
        numero_de_declaration=sent.numero,
        actif=True,
        date_derniere_declaration=sent.date_derniere_declaration,
        date_fin_exercice=sent.fin_exercice,
        certification_qualiopi=CertificationQualiopi(
            action_formation=sent.action_formation,
            bilan_competences=sent.bilan_competences,
            validation_acquis_experience=sent.vae,
            apprentissage=sent.apprentissage,
            obtention_via_unite_legale=_via_unite_legale(sent.obtention or ""),
        ),
        specialites=Specialites(
            specialite_1=Specialite(code=sent.code_1, libelle=sent.libelle_1),
            specialite_2=Specialite(code=sent.code_2, libelle=sent.libelle_2),
            specialite_3=Specialite(code=sent.code_3, libelle=sent.libelle_3),
        ),
    )


def _via_unite_legale(text: str) -> bool | None:
    """How the certification was obtained, from the sentence that tells it."""
    if "direct sur le NDA" in text:
        return False
    return True if "par propagation via" in text else None


def _habilitation(sent: HabilitationEnvoyee) -> Habilitation:
    return Habilitation(
        code=sent.code,
        actif=sent.actif,
        date_actif=sent.date_habilitation,
        date_fin_enregistrement=sent.date_fin_enregistrement,
        date_decision=sent.date_decision,
        habilitation_pour_former=sent.former,
        habilitation_pour_organiser_l_evaluation=sent.organiser,
        sirets_organismes_certificateurs=[one.siret for one in sent.certificateurs if one.siret is not None],
    )


# The rules.


def names_nobody(reply: Reply) -> bool:
    """A skeleton without a SIRET stands for an establishment that is not known; an empty object stands for nothing."""
    sent = reply.json() if reply.status == 200 and reply.is_json else None
    return isinstance(sent, dict) and bool(sent) and sent.get("siret_actif") is None


UNKNOWN = f"Les CARIF-OREF ne connaissent pas d'organisme de formation sous ce SIRET. {PERIMETER}"

certifications_qualiopi_france_competences_v3 = Endpoint(
    operation_id="api_entreprise_v3_carif_oref_certifications_qualiopi_france_competences",
    path="/v3/carif_oref/etablissements/{siret}/certifications_qualiopi_france_competences",
    title="Qualiopi et habilitations France compétences",
    description="Déclarations d'activité, certification Qualiopi et habilitations France compétences d'un "
    "établissement de formation.",
    tag="Certifications professionnelles",
    scopes=frozenset({"certifications_qualiopi_france_competences"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=CARIF_OREF,
    request=lambda call: Get(f"/organisme/{call.siret}"),
    wire=Organisme,
    failures=(Failure.NOT_FOUND.when(names_nobody, status=404, detail=UNKNOWN),),
    normalise=normalise,
)
