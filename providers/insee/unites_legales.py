"""Unités légales: companies, associations and administrations, as Sirene knows them, by SIREN."""

from typing import Annotated, Any, TypeVar

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import Cache, Call, Contract, Endpoint, Single, Tool
from providers.insee import wire
from providers.insee.conversions import (
    ActivitePrincipale,
    Diffusion,
    FormeJuridique,
    TrancheEffectif,
    TypePersonne,
    activite_naf_2025,
    activite_naf_rev2,
    creation_epoch,
    diffusion,
    end_epoch,
    epoch,
    forme_juridique,
    is_economie_sociale,
    tranche_effectif,
    type_personne,
)
from providers.insee.masking import MASKED, check_may_be_shown, check_person_is_known
from providers.insee.sirene import FAILURES, NOT_FOUND, SIREN_IS_CONFIDENTIAL, SIRENE, ask_unite_legale, follow_siren

# What the contract promises.


class PersonneMorale(Contract):
    """What is said of a legal person."""

    raison_sociale: str | None = Field(
        title="Raison sociale", description="Dénomination de la personne morale.", examples=["SOCIETE FICTIVE"]
    )
    sigle: str | None = Field(
        title="Sigle",
        description="En données ouvertes, « [ND] » si la personne morale est en diffusion partielle.",
        examples=["SF"],
    )


class PersonnePhysique(Contract):
    """What is said of a natural person. All is masked together."""

    pseudonyme: str | None = Field(
        title="Pseudonyme", description="Nom d'artiste ou de plume sous lequel la personne exerce.", examples=[None]
    )
    prenom_usuel: str | None = Field(
        title="Prénom usuel", description="Celui de ses prénoms que la personne emploie.", examples=["PRENOM"]
    )
    prenom_1: str | None = Field(title="Premier prénom", examples=["PRENOM"])
    prenom_2: str | None = Field(title="Deuxième prénom", examples=[None])
    prenom_3: str | None = Field(title="Troisième prénom", examples=[None])
    prenom_4: str | None = Field(title="Quatrième prénom", examples=[None])
    nom_usage: str | None = Field(title="Nom d'usage", examples=[None])
    nom_naissance: str | None = Field(title="Nom de naissance", examples=["NOM"])
    sexe: str | None = Field(
        title="Sexe",
        description="« F » ou « M » ; nul s'il n'est pas connu ; « [ND] » s'il est masqué.",
        examples=["F"],
    )


class UniteLegaleV3(Contract):
    """A legal unit, as it stands alone and as an establishment carries it."""

    siren: str = Field(
        title="SIREN",
        description="Peut différer du SIREN demandé lorsque l'INSEE a réuni deux inscriptions d'une même unité légale.",
        examples=["999500002"],
    )
    rna: str | None = Field(
        title="Numéro RNA",
        description="Numéro au répertoire national des associations ; nul pour les autres unités légales.",
        examples=["W999000001"],
    )
    siret_siege_social: str | None = Field(
        title="SIRET du siège social",
        description="Nul si l'INSEE ne dit pas quel établissement est le siège.",
        examples=["99950000200012"],
    )
    type: TypePersonne | None = Field(
        title="Type de personne",
        description="Déduit de la catégorie juridique : 1000 désigne une personne physique. Nul si elle manque.",
        examples=["personne_morale"],
    )
    personne_morale_attributs: PersonneMorale = Field(
        title="Attributs de la personne morale", description="Nuls pour une personne physique."
    )
    personne_physique_attributs: PersonnePhysique = Field(
        title="Attributs de la personne physique", description="Nuls pour une personne morale."
    )
    categorie_entreprise: str | None = Field(
        title="Catégorie d'entreprise",
        description=(
            "Catégorie statistique calculée par l'INSEE : PME (petite ou moyenne entreprise), ETI (entreprise de "
            "taille intermédiaire) ou GE (grande entreprise). Nulle si elle n'a pas été calculée."
        ),
        examples=["PME"],
    )
    status_diffusion: Diffusion | None = Field(
        title="Statut de diffusion de l'unité légale",
        description=(
            "« partiellement_diffusible » lorsque l'unité légale s'est opposée à la diffusion de ses données "
            "personnelles ; « non_diffusible » est un ancien statut."
        ),
        examples=["diffusible"],
    )
    diffusable_commercialement: bool = Field(
        title="Les données de cette réponse sont-elles publiques ?",
        description="Faux si la réponse contient des données protégées, qui ne doivent pas être diffusées.",
        examples=[True],
    )
    forme_juridique: FormeJuridique = Field(title="Forme juridique")
    activite_principale: ActivitePrincipale = Field(
        title="Activité principale", description="Dans la nomenclature NAF révision 2."
    )
    tranche_effectif_salarie: TrancheEffectif = Field(
        title="Tranche d'effectif salarié",
        description="Effectif de tous ses établissements, deux ou trois ans plus tôt.",
    )
    economie_sociale_et_solidaire: bool | None = Field(
        title="Appartient à l'économie sociale et solidaire",
        description="Nul si l'INSEE n'en dit rien.",
        examples=[False],
    )
    date_creation: int | None = Field(
        title="Date de création",
        description="Minuit à Paris, en secondes depuis 1970. Nulle si elle n'est pas connue.",
        examples=[1577833200],
    )
    etat_administratif: str | None = Field(
        title="État administratif",
        description="« A » pour une unité légale active, « C » si elle a cessé.",
        examples=["A"],
    )


class UniteLegaleV4(UniteLegaleV3):
    """The activity is told in the nomenclature of 2025, and in the former one beside it."""

    activite_principale: ActivitePrincipale = Field(
        title="Activité principale", description="Dans la nomenclature NAF 2025."
    )
    activite_principale_naf_rev2: ActivitePrincipale = Field(
        title="Activité principale en NAF révision 2", description="Code de l'ancienne nomenclature."
    )


DateCessation = Annotated[
    int | None,
    Field(
        title="Date de cessation",
        description="Minuit à Paris, en secondes depuis 1970. Nulle pour une unité légale active.",
        examples=[None],
    ),
]


class FicheV3(UniteLegaleV3):
    """A legal unit on its own."""

    date_cessation: DateCessation


class FicheV4(UniteLegaleV4):
    """A legal unit on its own."""

    date_cessation: DateCessation


class LiensUniteLegale(Contract):
    """Where the head office is told of."""

    siege_social: str | None = Field(
        title="Établissement siège",
        description="Lien vers les données du siège social.",
        examples=["https://octroi.example/v4/insee/sirene/etablissements/99950000200012"],
    )
    siege_social_adresse: str | None = Field(
        title="Adresse du siège",
        description="Lien vers l'adresse du siège social.",
        examples=["https://octroi.example/v4/insee/sirene/etablissements/99950000200012/adresse"],
    )


class MetaUniteLegale(Contract):
    """Of when the data are, and which SIREN was asked."""

    date_derniere_mise_a_jour: int | None = Field(
        title="Dernière mise à jour",
        description="Jour du dernier traitement par l'INSEE : minuit à Paris, en secondes depuis 1970.",
        examples=[1714255200],
    )
    redirect_from_siren: str | None = Field(
        title="SIREN demandé, s'il en désignait un autre",
        description="Renseigné lorsque l'INSEE a renvoyé d'une inscription en double vers celle qui demeure.",
        examples=[None],
    )


UniteLegaleResponseV3 = Single[FicheV3, LiensUniteLegale, MetaUniteLegale]
UniteLegaleResponseV4 = Single[FicheV4, LiensUniteLegale, MetaUniteLegale]

# How one becomes the other.

U = TypeVar("U", bound=UniteLegaleV3)


def unite_legale_v3(sent: wire.UniteLegale, siren: str) -> UniteLegaleV3:
    """A legal unit with all that Sirene says, protected data included."""
    return _told(UniteLegaleV3, sent, siren, activite_principale=activite_naf_rev2(sent.activite))


def unite_legale_v4(sent: wire.UniteLegale, siren: str) -> UniteLegaleV4:
    """The same, with both nomenclatures of activities."""
    return _told(UniteLegaleV4, sent, siren, **_activites(sent))


def _activites(sent: wire.UniteLegale) -> dict[str, ActivitePrincipale]:
    return {
        "activite_principale": activite_naf_2025(sent.activite_naf_2025),
        "activite_principale_naf_rev2": activite_naf_rev2(sent.activite),
    }


def _told(model: type[U], sent: wire.UniteLegale, siren: str, **more: Any) -> U:
    """What all models of a legal unit hold, and what this one holds besides."""
    return model(
        siren=siren,
        rna=sent.rna,
        siret_siege_social=siren + sent.nic_siege if sent.nic_siege else None,
        type=type_personne(sent.categorie_juridique),
        personne_morale_attributs=PersonneMorale(raison_sociale=sent.denomination, sigle=sent.sigle),
        personne_physique_attributs=PersonnePhysique(
            pseudonyme=sent.pseudonyme,
            prenom_usuel=sent.prenom_usuel,
            prenom_1=sent.prenom_1,
            prenom_2=sent.prenom_2,
            prenom_3=sent.prenom_3,
            prenom_4=sent.prenom_4,
            nom_usage=sent.nom_usage,
            nom_naissance=sent.nom,
            sexe=sent.sexe,
        ),
        categorie_entreprise=sent.categorie,
        status_diffusion=diffusion(sent.statut),
        diffusable_commercialement=sent.statut == "O",
        forme_juridique=forme_juridique(sent.categorie_juridique),
        tranche_effectif_salarie=tranche_effectif(sent.tranche, sent.tranche_annee),
        economie_sociale_et_solidaire=is_economie_sociale(sent.economie_sociale),
        date_creation=creation_epoch(sent.creation),
        etat_administratif=sent.etat,
        **more,
    )


def mask(unite: U) -> U:
    """What open data may show of a legal unit. Raises ProviderFailed (999) where what to mask cannot be told."""
    changed: dict[str, object] = {"diffusable_commercialement": unite.status_diffusion != "non_diffusible"}
    if unite.status_diffusion != "diffusible":
        check_person_is_known(unite.type)
        if unite.type == "personne_physique":
            changed["personne_physique_attributs"] = _NOBODY
        else:
            changed["personne_morale_attributs"] = unite.personne_morale_attributs.model_copy(update={"sigle": MASKED})
    return unite.model_copy(update=changed)


_NOBODY = PersonnePhysique(**dict.fromkeys(PersonnePhysique.model_fields, MASKED))


def normalise_v3(sent: wire.UniteLegaleSent, call: Call) -> UniteLegaleResponseV3:
    """All that Sirene says."""
    unite = sent.unite_legale
    data = _told(
        FicheV3,
        unite,
        unite.siren,
        activite_principale=activite_naf_rev2(unite.activite),
        date_cessation=end_epoch(unite.etat, unite.periodes),
    )
    return UniteLegaleResponseV3(data=data, links=_links(call, data, "v3"), meta=_meta(unite, call))


def normalise_v4(sent: wire.UniteLegaleSent, call: Call) -> UniteLegaleResponseV4:
    """All that Sirene says."""
    unite = sent.unite_legale
    data = _told(FicheV4, unite, unite.siren, **_activites(unite), date_cessation=end_epoch(unite.etat, unite.periodes))
    return UniteLegaleResponseV4(data=data, links=_links(call, data, "v4"), meta=_meta(unite, call))


def normalise_diffusible_v3(sent: wire.UniteLegaleSent, call: Call) -> UniteLegaleResponseV3:
    """What open data may show."""
    check_may_be_shown(sent.unite_legale.statut, NOT_FOUND)
    answer = normalise_v3(sent, call)
    return answer.model_copy(update={"data": mask(answer.data)})


def normalise_diffusible_v4(sent: wire.UniteLegaleSent, call: Call) -> UniteLegaleResponseV4:
    """What open data may show."""
    check_may_be_shown(sent.unite_legale.statut, NOT_FOUND)
    answer = normalise_v4(sent, call)
    return answer.model_copy(update={"data": mask(answer.data)})


def _links(call: Call, data: UniteLegaleV3, version: str) -> LiensUniteLegale:
    siege = data.siret_siege_social
    if siege is None:
        return LiensUniteLegale(siege_social=None, siege_social_adresse=None)
    link = f"{call.base}/{version}/insee/sirene/etablissements/{siege}"
    return LiensUniteLegale(siege_social=link, siege_social_adresse=f"{link}/adresse")


def _meta(unite: wire.UniteLegaleAndPeriodes, call: Call) -> MetaUniteLegale:
    return MetaUniteLegale(
        date_derniere_mise_a_jour=epoch(unite.traitement),
        redirect_from_siren=call.redirected_from.get("siren"),
    )


# The rules.

_DESCRIPTION = (
    "Ce que le répertoire Sirene sait d'une entreprise, d'une association ou d'une administration, {extent}."
    " L'activité principale est donnée en {nomenclature}."
)
_ALL = "données protégées des entités en diffusion partielle comprises"
_OPEN = "limité à ce qui est public"
_FORMER, _RECENT = "NAF révision 2", "NAF 2025 et en NAF révision 2"

_ADVICE = """
Commencez par cet outil pour savoir si une entreprise existe, comment elle s'appelle, ce qu'elle fait et si elle est
active (`etat_administratif` : `A` pour active, `C` pour cessée).

- Pour une personne physique, `personne_morale_attributs` n'a que des valeurs nulles, et inversement.
- `siret_siege_social` donne le SIRET à passer aux outils qui portent sur un établissement.
"""
_ADVICE_OPEN = """
La même chose que `insee.unite_legale`, sans ce que les entreprises ont refusé de diffuser. Préférez-le dès que la
réponse doit être publiée, ou montrée à d'autres que l'agent habilité.

- `[ND]` tient la place d'une valeur qui n'est pas diffusée ; `status_diffusion` dit si l'entreprise l'a demandé.
- Une erreur 404 peut vouloir dire que l'entreprise existe mais ne veut être diffusée d'aucune façon.
"""

unites_legales_v3 = Endpoint(
    operation_id="api_entreprise_v3_insee_unites_legales",
    path="/v3/insee/sirene/unites_legales/{siren}",
    title="Unité légale",
    description=_DESCRIPTION.format(extent=_ALL, nomenclature=_FORMER),
    tag="Informations générales",
    scopes=frozenset({"entreprises", "unites_legales_etablissements_insee"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=SIRENE,
    request=ask_unite_legale,
    follow=follow_siren,
    wire=wire.UniteLegaleSent,
    failures=(SIREN_IS_CONFIDENTIAL, *FAILURES),
    normalise=normalise_v3,
    legal_block=True,
    deprecated=True,
)

unites_legales_v4 = unites_legales_v3.but(
    operation_id="api_entreprise_v4_insee_unites_legales",
    path="/v4/insee/sirene/unites_legales/{siren}",
    mcp=Tool(name="insee.unite_legale", advice=_ADVICE),
    description=_DESCRIPTION.format(extent=_ALL, nomenclature=_RECENT),
    normalise=normalise_v4,
    deprecated=False,
)

unites_legales_diffusables_v3 = unites_legales_v3.but(
    operation_id="api_entreprise_v3_insee_unites_legales_diffusables",
    path="/v3/insee/sirene/unites_legales/diffusibles/{siren}",
    title="Unité légale en données ouvertes",
    description=_DESCRIPTION.format(extent=_OPEN, nomenclature=_FORMER),
    scopes=frozenset({"entreprises", "open_data"}),
    normalise=normalise_diffusible_v3,
)

unites_legales_diffusables_v4 = unites_legales_diffusables_v3.but(
    operation_id="api_entreprise_v4_insee_unites_legales_diffusables",
    path="/v4/insee/sirene/unites_legales/diffusibles/{siren}",
    mcp=Tool(name="insee.unite_legale_diffusable", advice=_ADVICE_OPEN),
    description=_DESCRIPTION.format(extent=_OPEN, nomenclature=_RECENT),
    normalise=normalise_diffusible_v4,
    deprecated=False,
)
