"""Établissements: the places where a legal unit works, by SIRET, with their legal unit and their address."""

from typing import TypeVar

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import Cache, Call, Contract, Endpoint, Failure, Kind, Single, Tool
from providers.insee import adresses, unites_legales, wire
from providers.insee.adresses import Adresse, adresse
from providers.insee.conversions import (
    ActivitePrincipale,
    Diffusion,
    TrancheEffectif,
    activite_naf_2025,
    activite_naf_rev2,
    diffusion,
    end_epoch,
    epoch,
    tranche_effectif,
)
from providers.insee.masking import MASKED, check_may_be_shown, check_person_is_known
from providers.insee.sirene import FAILURES, NOT_FOUND, SIRENE, SIRET_IS_CONFIDENTIAL, ask_etablissement, follow_siret
from providers.insee.unites_legales import UniteLegaleV3, UniteLegaleV4, unite_legale_v3, unite_legale_v4

# What the contract promises.


class EtablissementV3(Contract):
    """An establishment."""

    siret: str = Field(
        title="SIRET",
        description="Peut différer du SIRET demandé lorsque l'INSEE a réuni deux inscriptions d'une même unité légale.",
        examples=["99950000200012"],
    )
    siege_social: bool = Field(
        title="Siège social", description="Vrai si l'établissement est le siège de l'unité légale.", examples=[True]
    )
    etat_administratif: str = Field(
        title="État administratif",
        description="« A » pour un établissement en activité, « F » s'il est fermé.",
        examples=["A"],
    )
    date_fermeture: int | None = Field(
        title="Date de fermeture",
        description="Minuit à Paris, en secondes depuis 1970. Nulle pour un établissement en activité.",
        examples=[None],
    )
    enseigne: str | None = Field(
        title="Enseigne",
        description=(
            "Enseignes de l'établissement, séparées par des virgules. En données ouvertes, « [ND] » pour une personne "
            "physique en diffusion partielle."
        ),
        examples=["ENSEIGNE FICTIVE"],
    )
    activite_principale: ActivitePrincipale = Field(
        title="Activité principale de l'établissement", description="Dans la nomenclature NAF révision 2."
    )
    tranche_effectif_salarie: TrancheEffectif = Field(
        title="Tranche d'effectif salarié de l'établissement", description="Effectif deux ou trois ans plus tôt."
    )
    diffusable_commercialement: bool = Field(
        title="Les données de cette réponse sont-elles publiques ?",
        description="Faux si la réponse contient des données protégées, qui ne doivent pas être diffusées.",
        examples=[True],
    )
    status_diffusion: Diffusion | None = Field(
        title="Statut de diffusion de l'établissement",
        description=(
            "« partiellement_diffusible » lorsque l'entreprise s'est opposée à la diffusion de ses données "
            "personnelles ; « non_diffusible » est un ancien statut."
        ),
        examples=["diffusible"],
    )
    date_creation: int | None = Field(
        title="Date de création de l'établissement",
        description="Minuit à Paris, en secondes depuis 1970. Nulle si elle n'est pas connue.",
        examples=[1577833200],
    )
    unite_legale: UniteLegaleV3 = Field(title="Unité légale à laquelle l'établissement appartient")
    adresse: Adresse = Field(title="Adresse de l'établissement")


class EtablissementV4(EtablissementV3):
    """The activity is told in the nomenclature of 2025, and in the former one beside it."""

    activite_principale: ActivitePrincipale = Field(
        title="Activité principale de l'établissement", description="Dans la nomenclature NAF 2025."
    )
    activite_principale_naf_rev2: ActivitePrincipale = Field(
        title="Activité principale en NAF révision 2", description="Code de l'ancienne nomenclature."
    )
    unite_legale: UniteLegaleV4 = Field(title="Unité légale à laquelle l'établissement appartient")


class LiensEtablissement(Contract):
    """Where its legal unit is told of."""

    unite_legale: str = Field(
        title="Unité légale",
        description="Lien vers les données de l'unité légale.",
        examples=["https://octroi.example/v4/insee/sirene/unites_legales/999500002"],
    )


class MetaEtablissement(Contract):
    """Of when the data are, and which SIRET was asked."""

    date_derniere_mise_a_jour: int | None = Field(
        title="Dernière mise à jour",
        description="Jour du dernier traitement par l'INSEE : minuit à Paris, en secondes depuis 1970.",
        examples=[1714255200],
    )
    redirect_from_siret: str | None = Field(
        title="SIRET demandé, s'il en désignait un autre",
        description=(
            "Renseigné lorsque l'INSEE a renvoyé d'une inscription en double vers celle qui demeure ; la réponse porte "
            "alors sur le siège de l'unité légale."
        ),
        examples=[None],
    )


EtablissementResponseV3 = Single[EtablissementV3, LiensEtablissement, MetaEtablissement]
EtablissementResponseV4 = Single[EtablissementV4, LiensEtablissement, MetaEtablissement]

# How one becomes the other. A head office is told in the same way.

E = TypeVar("E", bound=EtablissementV3)


def etablissement_v3(sent: wire.Etablissement) -> EtablissementV3:
    """An establishment with all that Sirene says. Raises ProviderFailed (999) where its present state is not told."""
    now = _now(sent)
    if now.etat is None:
        raise Failure.UNKNOWN.because()
    enseignes = [name for name in (now.enseigne_1, now.enseigne_2, now.enseigne_3) if name is not None]
    return EtablissementV3(
        siret=sent.siret,
        siege_social=sent.is_siege,
        etat_administratif=now.etat,
        date_fermeture=end_epoch(now.etat, sent.periodes),
        enseigne=", ".join(enseignes) or None,
        activite_principale=activite_naf_rev2(now.activite),
        tranche_effectif_salarie=tranche_effectif(sent.tranche, sent.tranche_annee),
        diffusable_commercialement=sent.statut == "O",
        status_diffusion=diffusion(sent.statut),
        date_creation=epoch(sent.creation),
        unite_legale=unite_legale_v3(sent.unite_legale, sent.siren),
        adresse=adresse(sent),
    )


def etablissement_v4(sent: wire.Etablissement) -> EtablissementV4:
    """The same, with both nomenclatures of activities."""
    former = etablissement_v3(sent)
    changed = {
        "activite_principale": activite_naf_2025(sent.activite_naf_2025),
        "activite_principale_naf_rev2": former.activite_principale,
        "unite_legale": unite_legale_v4(sent.unite_legale, sent.siren),
    }
    return EtablissementV4(**{**dict(former), **changed})


def _now(sent: wire.Etablissement) -> wire.PeriodeEtablissement:
    for periode in sent.periodes:
        if periode.fin is None:
            return periode
    raise Failure.UNKNOWN.because()


def mask(shown: E, sent: wire.Etablissement) -> E:
    """What open data may show. Establishment, legal unit and address are each judged by the status that covers them."""
    changed: dict[str, object] = {
        "diffusable_commercialement": shown.status_diffusion != "non_diffusible",
        "unite_legale": unites_legales.mask(shown.unite_legale),
        "adresse": adresses.mask(shown.adresse, sent),
    }
    if shown.status_diffusion != "diffusible":
        check_person_is_known(shown.unite_legale.type)
        if shown.unite_legale.type == "personne_physique":
            changed["enseigne"] = MASKED
    return shown.model_copy(update=changed)


def answer_v3(sent: wire.Etablissement, call: Call) -> EtablissementResponseV3:
    """All that Sirene says."""
    return EtablissementResponseV3(data=etablissement_v3(sent), links=_links(call, sent, "v3"), meta=_meta(call, sent))


def answer_v4(sent: wire.Etablissement, call: Call) -> EtablissementResponseV4:
    """All that Sirene says."""
    return EtablissementResponseV4(data=etablissement_v4(sent), links=_links(call, sent, "v4"), meta=_meta(call, sent))


def open_answer_v3(sent: wire.Etablissement, call: Call, not_found: Kind) -> EtablissementResponseV3:
    """What open data may show."""
    check_may_be_shown(sent.statut, not_found)
    answer = answer_v3(sent, call)
    return answer.model_copy(update={"data": mask(answer.data, sent)})


def open_answer_v4(sent: wire.Etablissement, call: Call, not_found: Kind) -> EtablissementResponseV4:
    """What open data may show."""
    check_may_be_shown(sent.statut, not_found)
    answer = answer_v4(sent, call)
    return answer.model_copy(update={"data": mask(answer.data, sent)})


def _links(call: Call, sent: wire.Etablissement, version: str) -> LiensEtablissement:
    return LiensEtablissement(unite_legale=f"{call.base}/{version}/insee/sirene/unites_legales/{sent.siren}")


def _meta(call: Call, sent: wire.Etablissement) -> MetaEtablissement:
    return MetaEtablissement(
        date_derniere_mise_a_jour=epoch(sent.traitement),
        redirect_from_siret=call.redirected_from.get("siret"),
    )


def normalise_v3(sent: wire.EtablissementSent, call: Call) -> EtablissementResponseV3:
    """All that Sirene says."""
    return answer_v3(sent.etablissement, call)


def normalise_v4(sent: wire.EtablissementSent, call: Call) -> EtablissementResponseV4:
    """All that Sirene says."""
    return answer_v4(sent.etablissement, call)


def normalise_diffusible_v3(sent: wire.EtablissementSent, call: Call) -> EtablissementResponseV3:
    """What open data may show."""
    return open_answer_v3(sent.etablissement, call, NOT_FOUND)


def normalise_diffusible_v4(sent: wire.EtablissementSent, call: Call) -> EtablissementResponseV4:
    """What open data may show."""
    return open_answer_v4(sent.etablissement, call, NOT_FOUND)


# The rules.

_DESCRIPTION = (
    "Ce que le répertoire Sirene sait d'un établissement, de son unité légale et de son adresse, {extent}."
    " L'activité principale est donnée en {nomenclature}."
)
_ALL = "données protégées des établissements en diffusion partielle comprises"
_OPEN = "limité à ce qui est public"
_FORMER, _RECENT = "NAF révision 2", "NAF 2025 et en NAF révision 2"

etablissements_v3 = Endpoint(
    operation_id="api_entreprise_v3_insee_etablissements",
    path="/v3/insee/sirene/etablissements/{siret}",
    title="Établissement",
    description=_DESCRIPTION.format(extent=_ALL, nomenclature=_FORMER),
    tag="Informations générales",
    scopes=frozenset({"etablissements", "unites_legales_etablissements_insee"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=SIRENE,
    request=ask_etablissement,
    follow=follow_siret,
    wire=wire.EtablissementSent,
    failures=(SIRET_IS_CONFIDENTIAL, *FAILURES),
    normalise=normalise_v3,
    legal_block=True,
    deprecated=True,
)

etablissements_v4 = etablissements_v3.but(
    operation_id="api_entreprise_v4_insee_etablissements",
    path="/v4/insee/sirene/etablissements/{siret}",
    mcp=Tool(name="insee.etablissement"),
    description=_DESCRIPTION.format(extent=_ALL, nomenclature=_RECENT),
    normalise=normalise_v4,
    deprecated=False,
)

etablissements_diffusables_v3 = etablissements_v3.but(
    operation_id="api_entreprise_v3_insee_etablissements_diffusables",
    path="/v3/insee/sirene/etablissements/diffusibles/{siret}",
    title="Établissement en données ouvertes",
    description=_DESCRIPTION.format(extent=_OPEN, nomenclature=_FORMER),
    scopes=frozenset({"etablissements", "open_data"}),
    normalise=normalise_diffusible_v3,
)

etablissements_diffusables_v4 = etablissements_diffusables_v3.but(
    operation_id="api_entreprise_v4_insee_etablissements_diffusables",
    path="/v4/insee/sirene/etablissements/diffusibles/{siret}",
    description=_DESCRIPTION.format(extent=_OPEN, nomenclature=_RECENT),
    normalise=normalise_diffusible_v4,
    deprecated=False,
)
