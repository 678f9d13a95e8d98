"""Association: all that the State knows of one, in two forms that differ by what they leave out."""

from datetime import date
from typing import Any, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from config.quotas import JSON_RESOURCES
from providers.api_association import wire
from providers.api_association.outcomes import association_failures
from providers.api_association.values import Adresse, adresse
from providers.base import Cache, Call, Contract, Endpoint, Single
from providers.djepva.documents import DocumentRna, documents_rna
from providers.djepva.etablissements import Etablissement, EtablissementOuvert, etablissements, etablissements_ouverts
from providers.djepva.reseaux import (
    Affiliation,
    Agrement,
    Membre,
    agrements,
    composition_reseau,
    reseaux_affiliation,
)
from providers.djepva.service import API_ASSOCIATION, FORMER_HOME, NOT_FOUND, QUESTION

Regime = Literal["Loi 1901", "Alsace-Moselle", "Collectivite", "Autre"]
REGIMES: dict[str | None, Regime] = {
    "loi1901": "Loi 1901",
    "alsaceMoselle": "Alsace-Moselle",
    "collectivite": "Collectivite",
}


class FormeJuridique(Contract):
    """Its legal form, whose label is the provider's."""

    code: str | None = Field(title="Code de la catégorie juridique", examples=["9220"])
    libelle: str | None = Field(title="Libellé de la catégorie juridique", examples=["Association déclarée"])


class AlsaceMoselle(Contract):
    """Its entry in the register of a court, in the three départements of the East; elsewhere all null."""

    tribunal_instance: str | None = Field(
        title="Tribunal qui tient le registre", examples=["Tribunal d'instance de Strasbourg"]
    )
    volume: str | None = Field(title="Volume du registre", examples=["12"])
    folio: str | None = Field(title="Folio du registre", examples=["34"])
    date_publication_registre_association: date | None = Field(
        title="Date d'inscription au registre", examples=["1978-09-02"]
    )


class ObjetSocial(Contract):
    """What it is for, among the purposes that the register lists."""

    code: str | None = Field(title="Code de l'objet social", examples=["006000"])
    libelle: str | None = Field(title="Libellé de l'objet social", examples=["Culture, pratiques d'activités"])


class ActivitePrincipale(Contract):
    """Its trade, to Sirene."""

    code: str | None = Field(title="Code NAF de l'activité principale", examples=["94.99Z"])
    libelle: str | None = Field(
        title="Libellé de l'activité principale", examples=["Autres organisations associatives"]
    )
    annee: str | None = Field(title="Année de l'activité principale", examples=["2008"])


class TrancheEffectif(Contract):
    """Its head count."""

    code: str | None = Field(title="Code de la tranche d'effectif salarié", examples=["03"])
    libelle: str | None = Field(title="Tranche d'effectif salarié", examples=["6 à 9 salariés"])
    annee: str | None = Field(title="Année de l'effectif", examples=["2022"])


class Activites(Contract):
    """What it does."""

    objet: str | None = Field(title="Objet de l'association", examples=["Donner des exemples."])
    objet_social1: ObjetSocial = Field(title="Premier objet social")
    objet_social2: ObjetSocial = Field(title="Second objet social")
    champ_action_territorial: str | None = Field(
        title="Champ d'action territorial",
        description="« local », « départemental », « régional », « national » ou « international ».",
        examples=["local"],
    )
    activite_principale: ActivitePrincipale = Field(title="Activité principale")
    tranche_effectif: TrancheEffectif = Field(title="Effectif salarié")
    economie_sociale_et_solidaire: bool = Field(
        title="Appartient à l'économie sociale et solidaire",
        description="Faux si le fournisseur n'en dit rien.",
        examples=[True],
    )
    date_appartenance_ess: date | None = Field(
        title="Date d'entrée dans l'économie sociale et solidaire", examples=["2016-01-01"]
    )


class Socle(Contract):
    """What both forms tell in the same way."""

    rna: str | None = Field(title="Numéro RNA", examples=["W999000001"])
    ancien_id: str | None = Field(title="Ancien numéro de l'association", examples=["9990000001"])
    siren: str | None = Field(title="SIREN", examples=["999500002"])
    nom: str | None = Field(title="Nom", examples=["LES AMIS DE L'EXEMPLE"])
    active: bool = Field(
        title="Association active",
        description="Vrai si elle l'est à la fois au RNA et au répertoire Sirene ; faux donc sans SIREN.",
        examples=[True],
    )
    sigle: str | None = Field(title="Sigle", examples=["LAE"])
    reconnue_utilite_publique: bool = Field(title="Reconnue d'utilité publique", examples=[False])
    siret_siege: str | None = Field(title="SIRET du siège", examples=["99950000200012"])
    forme_juridique: FormeJuridique = Field(title="Forme juridique")
    regime: Regime = Field(
        title="Régime juridique",
        description="Le contrat officiel n'annonce que « Loi 1901 » et « Alsace-Moselle » ; les deux autres existent.",
        examples=["Loi 1901"],
    )
    groupement: str | None = Field(
        title="Groupement", description="« Simple », « Union » ou « Fédération ».", examples=["Simple"]
    )
    eligibilite_cec: bool = Field(
        title="Éligible au compte d'engagement citoyen",
        description="Si le bénévolat dans cette association ouvre des droits à ceux qui la dirigent ou l'animent.",
        examples=[True],
    )
    raison_non_eligibilite_cec: str | None = Field(
        title="Raison pour laquelle elle n'est pas éligible au compte d'engagement citoyen", examples=[None]
    )
    impots_commerciaux: bool = Field(title="Assujettie aux impôts commerciaux", examples=[False])
    date_creation: date | None = Field(
        title="Date de création", description="Celle du RNA ou, à défaut, celle de Sirene.", examples=["1998-03-14"]
    )
    date_dissolution: date | None = Field(title="Date de dissolution", examples=[None])
    date_publication_reconnue_utilite_publique: date | None = Field(
        title="Date de publication de la reconnaissance d'utilité publique", examples=[None]
    )
    date_publication_journal_officiel: date | None = Field(
        title="Date de publication au Journal officiel", examples=["1998-04-02"]
    )
    adresse_siege: Adresse = Field(title="Adresse du siège")
    adresse_gestion: Adresse = Field(title="Adresse de gestion")
    alsace_moselle: AlsaceMoselle = Field(title="Inscription au registre des associations d'Alsace et de Moselle")
    composition_reseau: list[Membre] = Field(title="Associations membres de son réseau")
    agrements: list[Agrement] = Field(title="Agréments")
    activites: Activites = Field(title="Activités")


class AssociationOuverte(Socle):
    """An association in open data."""

    etablissements: list[EtablissementOuvert] = Field(title="Établissements")


class Association(Socle):
    """An association, with its people and documents."""

    etablissements: list[Etablissement] = Field(title="Établissements")
    reseaux_affiliation: list[Affiliation] = Field(title="Réseaux auxquels elle est affiliée")
    documents_rna: list[DocumentRna] = Field(title="Documents déposés au RNA")


class LiensAssociation(Contract):
    """To its head office in Sirene; the contract leaves these links open."""

    insee_siege_social: SkipJsonSchema[str | None] = Field(
        title="Siège social au répertoire Sirene",
        examples=["https://octroi.example/v3/insee/sirene/etablissements/99950000200012"],
    )
    insee_siege_social_adresse: SkipJsonSchema[str | None] = Field(
        title="Adresse du siège social au répertoire Sirene",
        examples=["https://octroi.example/v3/insee/sirene/etablissements/99950000200012/adresse"],
    )


class MetaAssociation(Contract):
    """When either register told something last."""

    internal_id: str | None = Field(title="Identifiant de l'association chez le fournisseur", examples=["9990001"])
    date_derniere_mise_a_jour_sirene: date | None = Field(
        title="Date de la dernière mise à jour de Sirene", examples=["2023-02-10"]
    )
    date_derniere_mise_a_jour_rna: date | None = Field(
        title="Date de la dernière mise à jour du RNA", examples=["2021-09-30"]
    )


AssociationV4 = Single[Association, LiensAssociation, MetaAssociation]
AssociationOuverteV4 = Single[AssociationOuverte, LiensAssociation, MetaAssociation]


def _activites(sent: wire.Activites) -> Activites:
    return Activites(
        objet=sent.objet,
        objet_social1=ObjetSocial(code=sent.id_objet_social1, libelle=sent.lib_objet_social1),
        objet_social2=ObjetSocial(code=sent.id_objet_social2, libelle=sent.lib_objet_social2),
        champ_action_territorial=sent.champ_action_territorial,
        activite_principale=ActivitePrincipale(
            code=sent.id_activite_principale,
            libelle=sent.lib_activite_principale,
            annee=sent.annee_activite_principale,
        ),
        tranche_effectif=TrancheEffectif(
            code=sent.id_tranche_effectif,
            libelle=sent.lib_tranche_effectif,
            annee=sent.annee_effectif_salarie_cent,
        ),
        economie_sociale_et_solidaire=sent.appartenance_ess == "O",
        date_appartenance_ess=sent.date_appartenance_ess,
    )


def _alsace_moselle(sent: wire.Identite) -> AlsaceMoselle:
    return AlsaceMoselle(
        tribunal_instance=sent.tribunal_instance,
        volume=sent.volume,
        folio=sent.folio,
        date_publication_registre_association=sent.date_pub_registre,
    )


def _socle(sent: wire.Asso, call: Call) -> dict[str, Any]:
    identite = sent.identite
    return {
        "rna": identite.id_rna,
        "ancien_id": identite.id_ex,
        "siren": identite.id_siren,
        "nom": identite.nom,
        "active": identite.active and identite.active_sirene,
        "sigle": identite.sigle,
        "reconnue_utilite_publique": identite.util_publique,
        "siret_siege": identite.id_siret_siege,
        "forme_juridique": FormeJuridique(code=identite.id_forme_juridique, libelle=identite.lib_forme_juridique),
        "regime": REGIMES.get(identite.regime, "Autre"),
        "groupement": identite.groupement,
        "eligibilite_cec": identite.eligibilite_cec,
        "raison_non_eligibilite_cec": identite.raison_non_eligibilite_cec,
        "impots_commerciaux": identite.impots_commerciaux,
        "date_creation": identite.date_creat or identite.date_creation_sirene,
        "date_dissolution": identite.date_dissolution,
        "date_publication_reconnue_utilite_publique": identite.date_publication_util_publique,
        "date_publication_journal_officiel": identite.date_pub_jo,
        "adresse_siege": adresse(sent.coordonnees.adresse_siege),
        "adresse_gestion": adresse(sent.coordonnees.adresse_gestion),
        "alsace_moselle": _alsace_moselle(identite),
        "composition_reseau": composition_reseau(sent),
        "agrements": agrements(sent, call),
        "activites": _activites(sent.activites),
    }


def _links(sent: wire.Asso, call: Call) -> LiensAssociation:
    siret = sent.identite.id_siret_siege
    if siret is None:
        return LiensAssociation(insee_siege_social=None, insee_siege_social_adresse=None)
    siege = f"{call.base}/v3/insee/sirene/etablissements/{siret}"
    return LiensAssociation(insee_siege_social=siege, insee_siege_social_adresse=f"{siege}/adresse")


def _meta(sent: wire.Asso) -> MetaAssociation:
    return MetaAssociation(
        internal_id=sent.id_correspondance,
        date_derniere_mise_a_jour_sirene=sent.identite.date_modif_siren,
        date_derniere_mise_a_jour_rna=sent.identite.date_modif_rna,
    )


def normalise(sent: wire.Asso, call: Call) -> AssociationV4:
    """Everything."""
    data = Association(
        **_socle(sent, call),
        etablissements=etablissements(sent, call),
        reseaux_affiliation=reseaux_affiliation(sent),
        documents_rna=documents_rna(sent, call),
    )
    return AssociationV4(data=data, links=_links(sent, call), meta=_meta(sent))


def normalise_open_data(sent: wire.Asso, call: Call) -> AssociationOuverteV4:
    """Everything but legal representatives, documents, and the networks it belongs to."""
    data = AssociationOuverte(**_socle(sent, call), etablissements=etablissements_ouverts(sent))
    return AssociationOuverteV4(data=data, links=_links(sent, call), meta=_meta(sent))


associations_v4 = Endpoint(
    operation_id="api_entreprise_v4_mi_unites_legales",
    path="/v4/djepva/api-association/associations/{siren_or_rna}",
    aliases=(FORMER_HOME + "/{siren_or_rna}",),
    title="Association",
    description=(
        "Identité, activités, établissements, représentants légaux, comptes et documents d'une association, d'après le "
        "répertoire national des associations, le répertoire Sirene et le compte de l'association. Contient des "
        "données protégées."
    ),
    tag="Informations générales",
    scopes=frozenset({"associations_donnees_protegees", "associations_djepva"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=API_ASSOCIATION,
    request=QUESTION,
    wire=wire.read,
    failures=association_failures(NOT_FOUND),
    normalise=normalise,
    marks=True,
)

associations_open_data_v4 = associations_v4.but(
    operation_id="api_entreprise_v4_mi_unites_legales_open_data",
    path="/v4/djepva/api-association/associations/open_data/{siren_or_rna}",
    aliases=(FORMER_HOME + "/open_data/{siren_or_rna}",),
    title="Association, données ouvertes",
    description=(
        "Identité, activités, établissements et comptes d'une association, d'après le répertoire national des "
        "associations et le répertoire Sirene, sans donnée protégée."
    ),
    scopes=frozenset({"associations", "open_data"}),
    normalise=normalise_open_data,
    marks=False,
)
