"""Liasses fiscales: the forms of a company's tax return for a year, field by field."""

import re

from pydantic import AliasChoices, Field

from config.quotas import JSON_RESOURCES
from providers.base import Cache, Call, Contract, Empty, Endpoint, OneOrMany, Single, Tool, Wire
from providers.dgfip import dictionnaire
from providers.dgfip.adelie import ADELIE
from providers.dgfip.declarations import FAILURES, YEAR, Declaration, request

OBLIGATIONS = {
    "IS": "Impôt sur les sociétés",
    "BIC": "Bénéfices industriels et commerciaux",
    "IS GROUPE": "Impôt sur les sociétés dû par le groupe",
    "BA": "Bénéfices agricoles",
    "BNC": "Bénéfices non commerciaux",
}
SPELLINGS = {"ISGROUPE": "IS GROUPE"}
"""DGFIP writes it both ways; the contract knows one."""

REGIMES = {
    "RN": "Réel normal",
    "RS": "Régime simplifié",
    "RSI": "Régime simplifié",
    "RNMEMBRE": "Réel normal groupe (groupe)",
    "RNGROUPE": "Réel normal groupe (tête)",
    "DECC": "Déclaration contrôlée",
}


class Occurrence(Wire):
    """A tax the company is liable to; DGFIP calls it OCFI."""

    numero: str | None = Field(None, alias="numOcfi")
    code: str | None = Field(None, alias="codeObf")
    rof: str | None = Field(None, validation_alias=AliasChoices("ROF", "rof"))
    regime: str | None = None


class Entreprise(Wire):
    """The company, with one tax as a bare object, several as a list."""

    itip: str | None = None
    occurrences: OneOrMany[Occurrence] = Field(alias="setOcfis", default_factory=list)


class Sent(Wire):
    """What DGFIP sends."""

    entreprise: Entreprise | None = None
    declarations: OneOrMany[Declaration]


class ObligationFiscale(Contract):
    """A tax the company is liable to."""

    id: str | None = Field(title="Identifiant de l'occurrence fiscale (OCFI) à la DGFIP", examples=["100200000001"])
    code: str | None = Field(
        title="Code de l'obligation fiscale",
        description=" ; ".join(f"{code} : {libelle}" for code, libelle in OBLIGATIONS.items()),
        examples=["IS"],
    )
    libelle: str | None = Field(
        title="Libellé de l'obligation fiscale",
        description="Nul pour un code que la DGFIP n'a pas publié.",
        examples=["Impôt sur les sociétés"],
    )
    reference: str | None = Field(
        title="Référence de l'obligation fiscale (ROF)",
        description="Le code, suivi d'un numéro qui distingue les activités d'une même entreprise.",
        examples=["IS1"],
    )
    regime: str | None = Field(title="Régime d'imposition du résultat", examples=["RSI"])


class Regime(Contract):
    """A regime of taxation."""

    code: str | None = Field(
        title="Code du régime d'imposition",
        description=" ; ".join(f"{code} : {libelle}" for code, libelle in REGIMES.items()),
        examples=["RS"],
    )
    libelle: str | None = Field(title="Libellé du régime d'imposition", examples=["Régime simplifié"])


class Donnee(Contract):
    """A field that the dictionary of the year does not know."""

    code_nref: str = Field(title="Code N-REF de la donnée", examples=["304330"])
    valeurs: list[str | None] = Field(
        title="Valeurs de la donnée",
        description="Une seule pour une donnée simple. Une donnée qui se répète en a plusieurs, rangées par indice de "
        "répétition ; un indice absent laisse une valeur nulle.",
        examples=[["4245", None, "5672"]],
    )


class DonneeConnue(Donnee):
    """A field with what the dictionary of the year says of it."""

    code_absolu: str | None = Field(title="Code absolu : cette donnée sur ce formulaire", examples=["2005048"])
    intitule: str | None = Field(title="Intitulé de la donnée", examples=["Immobilisations corporelles, brut"])
    code_EDI: str | None = Field(  # noqa: N815  the contract's spelling
        title="Code EDI : cette donnée dans les échanges EDI-TDFC", examples=["AC:C516:5004:1"]
    )
    code: str | None = Field(title="Code de la case, en deux lettres", examples=["AC"])
    code_type_donnee: str | None = Field(title="Type de la donnée : montant, date, case à cocher…", examples=["MOA"])


class DeclarationFiscale(Contract):
    """A form of the return."""

    numero_imprime: str | None = Field(title="Numéro de l'imprimé", examples=["2033A"])
    regime: Regime = Field(title="Régime d'imposition sous lequel l'imprimé est déposé")
    date_declaration: str | None = Field(title="Date du dépôt", examples=["2025-05-12"])
    date_fin_exercice: str | None = Field(title="Dernier jour de l'exercice", examples=["2024-12-31"])
    duree_exercice: int | None = Field(title="Durée de l'exercice, en jours", examples=[365])
    millesime: str | None = Field(
        title="Millésime de l'imprimé", description="L'année du modèle, puis sa version.", examples=["202401"]
    )
    donnees: list[DonneeConnue | Donnee] = Field(title="Données de l'imprimé, dans l'ordre du dépôt")


class LiasseFiscale(Contract):
    """The return of a year."""

    obligations_fiscales: list[ObligationFiscale] = Field(title="Impôts dont l'unité légale est redevable")
    declarations: list[DeclarationFiscale] = Field(title="Imprimés déposés")


class Meta(Contract):
    """The meta of a return."""

    internal_id_itip: str | None = Field(title="Identifiant ITIP de la personne à la DGFIP", examples=["100000000001"])


LiassesFiscales = Single[LiasseFiscale, Empty, Meta]


def _obligation(sent: Occurrence) -> ObligationFiscale:
    code = SPELLINGS.get(sent.code, sent.code) if sent.code else sent.code
    return ObligationFiscale(
        id=sent.numero,
        code=code,
        libelle=OBLIGATIONS.get(code or ""),
        reference=sent.rof,
        regime=sent.regime,
    )


def _days(text: str | None) -> int | None:
    found = re.match(r"\s*(\d+)", text or "")
    return int(found[1]) if found else None


def _donnees(sent: Declaration, known: dictionnaire.Dictionnaire) -> list[DonneeConnue | Donnee]:
    form = sent.numero_imprime or ""
    return [
        DonneeConnue(code_nref=code, valeurs=valeurs, **rubrique._asdict())
        if (rubrique := known.get((form, code)))
        else Donnee(code_nref=code, valeurs=valeurs)
        for code, valeurs in sent.values.items()
    ]


def _declaration(sent: Declaration, known: dictionnaire.Dictionnaire) -> DeclarationFiscale:
    return DeclarationFiscale(
        numero_imprime=sent.numero_imprime,
        regime=Regime(code=sent.code_regime, libelle=REGIMES.get(sent.code_regime or "")),
        date_declaration=sent.date_declaration,
        date_fin_exercice=sent.fin_exercice,
        duree_exercice=_days(sent.duree_exercice),
        millesime=sent.millesime,
        donnees=_donnees(sent, known),
    )


def normalise(sent: Sent, call: Call) -> LiassesFiscales:
    """Each form as it was filed, its fields labelled by the dictionary of the year asked."""
    known = dictionnaire.for_call(call)
    entreprise = sent.entreprise or Entreprise()
    return LiassesFiscales(
        data=LiasseFiscale(
            obligations_fiscales=[_obligation(occurrence) for occurrence in entreprise.occurrences],
            declarations=[_declaration(declaration, known) for declaration in sent.declarations],
        ),
        links=Empty(),
        meta=Meta(internal_id_itip=entreprise.itip),
    )


liasses_fiscales_v3 = Endpoint(
    operation_id="api_entreprise_v3_dgfip_liasses_fiscales",
    path="/v3/dgfip/unites_legales/{siren}/liasses_fiscales/{year}",
    mcp=Tool(name="dgfip.liasses_fiscales"),
    title="Liasses fiscales",
    description="Déclarations de résultat déposées par l'entreprise à la DGFIP au titre d'une année, case par case.",
    tag="Informations financières",
    scopes=frozenset({"liasse_fiscale", "liasses_fiscales_dgfip"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=ADELIE,
    request=request,
    wire=Sent,
    failures=FAILURES,
    table=dictionnaire.DICTIONNAIRE,
    normalise=normalise,
    parameters=(YEAR,),
    accumulates=True,
)
