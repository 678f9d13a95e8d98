"""Bilans: the last three balance sheets of a company, and what Banque de France computes from them."""

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from config.quotas import JSON_RESOURCES
from providers.banque_de_france.postes import IMPRIMES, POSTES, Poste
from providers.base import (
    PERIMETER,
    Cache,
    Call,
    Collection,
    Contract,
    Empty,
    Endpoint,
    Failure,
    Get,
    OneOrMany,
    Provider,
    Reply,
    Single,
    Unreadable,
    Wire,
    daily,
)

BANQUE_DE_FRANCE = Provider(
    slug="banque_de_france",
    code="17",
    name="Banque de France",
    base_url="https://banque-de-france.example/bilans",
    wants_certificate=True,
    headers=lambda call: {"content-type": "application/json"},
    maintenance=(daily("22:04", "22:08"),),
)


def _texts(sent: Any) -> dict[str, str]:
    """A balance sheet as texts by name. What is neither a text nor a number says nothing."""
    if not isinstance(sent, dict):
        raise ValueError("a balance sheet that is no object")
    return {name: str(value) for name, value in sent.items() if isinstance(value, str | int | float)}


class Sent(Wire):
    """What Banque de France sends: every value as a text, amounts in thousands of euros."""

    bilans: OneOrMany[Annotated[dict[str, str], BeforeValidator(_texts)]]


class Calcul(Contract):
    """An amount computed from the accounts."""

    valeur: str = Field(title="Montant en euros", examples=["9001000"])
    evolution: float | None = Field(title="Évolution depuis l'exercice précédent, en pour cent", examples=[12.34])


class Ratio(Contract):
    """A ratio of two of them."""

    valeur: float | None = Field(title="Rapport, en pour cent", examples=[23.45])
    evolution: float | None = Field(title="Évolution depuis l'exercice précédent, en pour cent", examples=[12.34])


class ValeursCalculees(Contract):
    """What Banque de France computes."""

    disponibilites: Calcul = Field(
        title="Disponibilités", description="Ce dont l'entreprise peut disposer aussitôt, net des provisions."
    )
    total_dettes_stables: Calcul = Field(title="Total des dettes stables")
    valeur_ajoutee_bdf: Calcul = Field(
        title="Valeur ajoutée",
        description="Production, moins ce qui a été consommé pour l'obtenir.",
    )
    besoin_en_fonds_de_roulement: Calcul = Field(
        title="Besoin en fonds de roulement",
        description="Ce que coûte le décalage entre ce que l'entreprise encaisse et ce qu'elle paie, stocks compris.",
    )
    excedent_brut_exploitation: Calcul = Field(
        title="Excédent brut d'exploitation",
        description="Valeur ajoutée et subventions d'exploitation, moins les charges de personnel et les impôts.",
    )
    capacite_autofinancement: Calcul = Field(
        title="Capacité d'autofinancement",
        description="Résultat net, charges qui ne se paient pas ajoutées, produits qui ne s'encaissent pas retranchés.",
    )
    fonds_roulement_net_global: Calcul = Field(
        title="Fonds de roulement net global",
        description="Capitaux permanents, moins ce qui est immobilisé.",
    )
    ratio_fonds_roulement_net_global_sur_besoin_en_fonds_de_roulement: Ratio = Field(
        title="Fonds de roulement net global rapporté au besoin en fonds de roulement"
    )
    dettes4_maturite_a_un_an_au_plus: Calcul = Field(
        title="Dettes à un an au plus", description="Somme des cases VG2 et VH2 de l'imprimé 2057."
    )


class Donnee(Contract):
    """An item of the accounts that the dictionary of that year does not know."""

    code_nref: str = Field(title="Code N-REF de la donnée", examples=["300476"])
    valeurs: list[str] = Field(
        title="Montant en euros, seul dans sa liste", examples=[["15832000"]], json_schema_extra={"minItems": 1}
    )
    evolution: float | None = Field(title="Évolution depuis l'exercice précédent, en pour cent", examples=[4.56])


class DonneeConnue(Donnee):
    """An item of the accounts, with what DGFIP's dictionary says of it."""

    code: str = Field(title="Code de la case, en deux lettres", examples=["EE"])
    code_EDI: str = Field(  # noqa: N815  the contract's spelling
        title="Code EDI : cette donnée dans les échanges EDI-TDFC", examples=["EE:C516:5004:1"]
    )
    code_absolu: str = Field(title="Code absolu : cette donnée sur ce formulaire", examples=["2000536"])
    code_type_donnee: str = Field(title="Type de la donnée : un montant, toujours", examples=["MOA"])
    intitule: str = Field(title="Intitulé de la donnée", examples=["Capital social ou individuel n"])


class Declaration(Contract):
    """The items that a tax form would hold."""

    numero_imprime: str = Field(title="Numéro de l'imprimé fiscal", examples=["2051"])
    donnees: list[DonneeConnue | Donnee] = Field(title="Données de l'imprimé")


class Bilan(Contract):
    """A balance sheet."""

    annee: str = Field(title="Année du bilan", examples=["2024"])
    date_arrete_exercice: str = Field(
        title="Mois dans lequel l'exercice se termine", description="Le jour n'est pas connu.", examples=["2024-12"]
    )
    valeurs_calculees: list[ValeursCalculees] = Field(
        title="Valeurs calculées par la Banque de France", description="La liste n'a qu'un élément."
    )
    declarations: list[Declaration] = Field(title="Comptes, rangés comme dans les imprimés fiscaux")


class Meta(Contract):
    """Of the list."""

    count: int = Field(title="Nombre de bilans", examples=[3])


Bilans = Collection[Bilan, Empty, Meta]


def normalise(sent: Sent, call: Call) -> Bilans:
    """A balance sheet an item, in the order they were sent."""
    del call
    bilans = [_bilan(texts) for texts in sent.bilans]
    return Bilans(
        data=[Single(data=bilan, links=Empty(), meta=Empty()) for bilan in bilans],
        meta=Meta(count=len(bilans)),
        links=Empty(),
    )


def _bilan(texts: Mapping[str, str]) -> Bilan:
    closed = texts.get("dateArrete", "")
    if not re.fullmatch(r"\d{6}", closed):
        raise Unreadable("a balance sheet without a month")
    return Bilan(
        annee=closed[:4],
        date_arrete_exercice=f"{closed[:4]}-{closed[4:]}",
        valeurs_calculees=[_valeurs_calculees(texts)],
        declarations=[
            Declaration(
                numero_imprime=imprime,
                donnees=[_donnee(poste, texts, int(closed[:4])) for poste in POSTES if poste.imprime == imprime],
            )
            for imprime in IMPRIMES
        ],
    )


def _valeurs_calculees(texts: Mapping[str, str]) -> ValeursCalculees:
    def calcul(amount: str, evolution: str) -> Calcul:
        return Calcul(valeur=euros(texts.get(amount)), evolution=percentage(texts.get(evolution)))

    return ValeursCalculees(
        disponibilites=calcul("disponibilites", "evolutionDisponibilites"),
        total_dettes_stables=calcul("totalDettesStables", "evolutionTotaltotalDettesStables"),
        valeur_ajoutee_bdf=calcul("valeurAjouteeBdf", "evolutionValeurAjouteeBdf"),
        besoin_en_fonds_de_roulement=calcul("besoinEnFondsDeRoulement", "evolutionBesoinEnFondsDeRoulement"),
        excedent_brut_exploitation=calcul("ebe", "evolutionEbe"),
        capacite_autofinancement=calcul("caf", "evolutionCaf"),
        fonds_roulement_net_global=calcul("frng", "evolutionFrng"),
        ratio_fonds_roulement_net_global_sur_besoin_en_fonds_de_roulement=Ratio(
            valeur=percentage(texts.get("frng/bfr")), evolution=percentage(texts.get("evolutionFrng/Bfr"))
        ),
        dettes4_maturite_a_un_an_au_plus=calcul("dettes4DontAUnAnAuPlus", "evolutionDettes4DontAUnAnAuPlus"),
    )


def _donnee(poste: Poste, texts: Mapping[str, str], year: int) -> DonneeConnue | Donnee:
    code_nref, valeurs = poste.code_nref, [euros(texts.get(poste.amount))]
    evolution = percentage(texts.get(poste.evolution))
    if year < poste.labelled_from:
        return Donnee(code_nref=code_nref, valeurs=valeurs, evolution=evolution)
    return DonneeConnue(
        code_nref=code_nref,
        valeurs=valeurs,
        evolution=evolution,
        code=poste.code,
        code_EDI=poste.code_edi,
        code_absolu=poste.code_absolu,
        code_type_donnee="MOA",
        intitule=poste.intitule,
    )


_THOUSANDS = re.compile(r"\s*([+-]?\d+)")
_PERCENTAGE = re.compile(r"\s*([+-]?\d+(?:[.,]\d+)?)")


def euros(text: str | None) -> str:
    """Thousands of euros as euros; an amount that is not told is nought."""
    found = _THOUSANDS.match(text or "")
    return str(int(found[1]) * 1000) if found else "0"


def percentage(text: str | None) -> float | None:
    """A percentage to the hundredth, decimals after a point or a comma; null where none is told, nought for `-`."""
    if text is None or not text.strip():
        return None
    found = _PERCENTAGE.match(text)
    if found is None:
        return 0.0
    return float(Decimal(found[1].replace(",", ".")).quantize(Decimal("0.01"), ROUND_HALF_UP))


def says(*codes: str) -> Callable[[Reply], bool]:
    """A predicate: no balance sheet is sent, and one of these codes says why."""
    return lambda reply: has_none(reply) and str(reply.find("code-retour")) in codes


def has_none(reply: Reply) -> bool:
    """With a 200, an answer without any balance sheet."""
    return reply.status == 200 and reply.is_json and not reply.find("bilans")


bilans_v3 = Endpoint(
    operation_id="api_entreprise_v3_banque_de_france_bilans_entreprise",
    path="/v3/banque_de_france/unites_legales/{siren}/bilans",
    title="Trois derniers bilans annuels",
    description="Bilans des trois derniers exercices que l'entreprise a remis à la Banque de France, et valeurs que "
    "celle-ci en tire.",
    tag="Informations financières",
    scopes=frozenset({"bilans_entreprise_bdf", "bilans_bdf"}),
    quota=JSON_RESOURCES,
    cache=Cache.until_end_of_day(),
    provider=BANQUE_DE_FRANCE,
    request=lambda call: Get(f"/{call.siren}"),
    wire=Sent,
    failures=(
        Failure.INTERNAL.when(status=(408, 500)),
        Failure.NOT_FOUND.when(
            says("204", "400"),
            detail=f"La Banque de France n'a aucun bilan de cette entreprise, ou ce SIREN n'existe pas. {PERIMETER}",
        ),
        Failure.INTERNAL.when(says("500")),
        Failure.UNKNOWN.when(has_none),
    ),
    normalise=normalise,
)
