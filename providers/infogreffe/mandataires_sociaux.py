"""Mandataires sociaux: who directs or audits a company, natural and legal persons."""

from typing import Literal

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import PERIMETER, Call, Collection, Contract, Empty, Endpoint, Failure, Reply, Single, Tool
from providers.infogreffe.extrait import Dirigeant, Extrait, read, timestamp
from providers.infogreffe.produits import FAILURES, PRODUITS, extract, order

_FONCTION = Field(title="Fonction dans l'entreprise", examples=["PRESIDENT"])


class PersonnePhysique(Contract):
    """A natural person."""

    type: Literal["personne_physique"] = Field(title="Nature du mandataire")
    fonction: str | None = _FONCTION
    nom: str | None = Field(title="Nom", examples=["EXEMPLE"])
    prenom: str | None = Field(title="Prénoms", examples=["CAMILLE"])
    date_naissance: str | None = Field(title="Date de naissance", examples=["1980-02-15"])
    date_naissance_timestamp: int | None = Field(
        title="Date de naissance en secondes depuis 1970",
        description="Premier instant du jour à Paris ; négatif avant 1970.",
        examples=[319417200],
    )
    lieu_naissance: str | None = Field(title="Lieu de naissance", examples=["ROUBAIX"])
    pays_naissance: str | None = Field(title="Pays de naissance", examples=["FRANCE"])
    code_pays_naissance: str | None = Field(title="Code du pays de naissance", examples=["FR"])
    nationalite: str | None = Field(
        title="Nationalité", description="Nulle pour un entrepreneur individuel.", examples=["FRANCAISE"]
    )
    code_nationalite: str | None = Field(title="Code du pays de nationalité", examples=["FR"])


class PersonneMorale(Contract):
    """A legal person."""

    type: Literal["personne_morale"] = Field(title="Nature du mandataire")
    fonction: str | None = _FONCTION
    numero_identification: str | None = Field(title="SIREN ou autre numéro d'identification", examples=["999500007"])
    raison_sociale: str | None = Field(title="Raison sociale", examples=["EXEMPLE AUDIT"])
    code_greffe: str | None = Field(title="Code du greffe où elle est inscrite", examples=["9201"])
    libelle_greffe: str | None = Field(title="Nom de ce greffe", examples=["NANTERRE"])


class Meta(Contract):
    """Of the list."""

    personnes_physiques_count: int = Field(title="Nombre de personnes physiques", examples=[3])
    personnes_morales_count: int = Field(title="Nombre de personnes morales", examples=[1])
    count: int = Field(title="Nombre de mandataires", examples=[4])


MandatairesSociaux = Collection[PersonnePhysique | PersonneMorale, Empty, Meta]


def normalise(sent: Extrait, call: Call) -> MandatairesSociaux:
    """One by one, in the order of the extract."""
    del call
    found = [_physique(one) if one.est_physique else _morale(one) for one in sent.dirigeants]
    physiques = sum(isinstance(one, PersonnePhysique) for one in found)
    return MandatairesSociaux(
        data=[Single(data=one, links=Empty(), meta=Empty()) for one in found],
        meta=Meta(
            personnes_physiques_count=physiques,
            personnes_morales_count=len(found) - physiques,
            count=len(found),
        ),
        links=Empty(),
    )


def _physique(one: Dirigeant) -> PersonnePhysique:
    return PersonnePhysique(
        type="personne_physique",
        fonction=one.fonction,
        nom=one.node.find(".//nom").words,
        prenom=one.node.find(".//prenom").words,
        date_naissance=one.date_naissance,
        date_naissance_timestamp=timestamp(one.date_naissance),
        lieu_naissance=one.naissance.find("lieu").words,
        pays_naissance=one.naissance.get("pays") or None,
        code_pays_naissance=one.naissance.get("codePays") or None,
        nationalite=one.nationalite.get("nationalite") or None,
        code_nationalite=one.nationalite.get("codeNationalite") or None,
    )


def _morale(one: Dirigeant) -> PersonneMorale:
    greffe = one.node.find(".//greffe")
    return PersonneMorale(
        type="personne_morale",
        fonction=one.fonction,
        numero_identification=one.node.find("pm/num_ident").words,
        raison_sociale=one.node.find(".//denomination").words,
        code_greffe=greffe.get("code") or None,
        libelle_greffe=greffe.words,
    )


def has_nobody(reply: Reply) -> bool:
    """An extract that names nobody."""
    return extract(reply) is not None and not read(reply).dirigeants


mandataires_sociaux_v3 = Endpoint(
    operation_id="api_entreprise_v3_infogreffe_mandataires_sociaux",
    path="/v3/infogreffe/rcs/unites_legales/{siren}/mandataires_sociaux",
    mcp=Tool(name="infogreffe.mandataires_sociaux"),
    title="Mandataires sociaux",
    description="Personnes qui dirigent, contrôlent ou administrent une entreprise inscrite au registre du commerce et "
    "des sociétés.",
    tag="Informations générales",
    scopes=frozenset({"entreprises", "mandataires_sociaux_infogreffe"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=PRODUITS,
    request=order,
    wire=read,
    success=None,  # the body decides
    failures=(
        *FAILURES,
        Failure.NOT_FOUND.when(
            has_nobody,
            detail=f"L'extrait de cette entreprise ne nomme aucun mandataire. {PERIMETER}",
            meta=lambda reply: {"provider_error": {}},
        ),
    ),
    normalise=normalise,
)
