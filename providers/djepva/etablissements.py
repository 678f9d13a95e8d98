"""The establishments of an association, with their people and their accounts year by year."""

from datetime import date
from typing import Any

from pydantic import Field

from providers.api_association import wire
from providers.api_association.values import Adresse, adresse
from providers.base import Call, Contract
from providers.djepva.documents import DocumentDac, documents_dac


class Libelle(Contract):
    """A code with its label, both as they were sent."""

    code: str | None = Field(title="Code", examples=["94.99Z"])
    libelle: str | None = Field(title="Libellé", examples=["Autres organisations associatives"])


class Tranche(Contract):
    """A band of head counts."""

    code: str | None = Field(title="Code de la tranche d'effectif salarié", examples=["03"])
    libelle: str | None = Field(title="Tranche d'effectif salarié", examples=["6 à 9 salariés"])


class Adherents(Contract):
    """The members."""

    hommes: int | None = Field(title="Nombre d'adhérents hommes", examples=[40])
    femmes: int | None = Field(title="Nombre d'adhérentes femmes", examples=[60])
    total: int | None = Field(title="Nombre d'adhérents en tout", examples=[100])


class Rh(Contract):
    """The people of an establishment in one year."""

    annee: str | None = Field(title="Année", examples=["2023"])
    nombre_benevoles: int | None = Field(title="Nombre de bénévoles", examples=[25])
    nombre_volontaires: int | None = Field(title="Nombre de volontaires", examples=[1])
    nombre_salaries: int | None = Field(title="Nombre de salariés", examples=[3])
    nombre_salaries_etpt: float | None = Field(
        title="Nombre de salariés en équivalent temps plein travaillé", examples=[2.5]
    )
    nombre_emplois_aides: int | None = Field(title="Nombre d'emplois aidés", examples=[0])
    nombre_personnels_detaches: int | None = Field(title="Nombre de personnels détachés", examples=[0])
    nombre_adherents: Adherents = Field(title="Nombre d'adhérents")


class Compte(Contract):
    """The accounts of an establishment for one year. What was not told counts for nothing."""

    annee: str | None = Field(title="Année", examples=["2023"])
    commisaire_aux_comptes: bool = Field(
        title="Comptes certifiés par un commissaire aux comptes",
        description="L'orthographe est celle du contrat.",
        examples=[False],
    )
    montant_dons: float = Field(title="Montant des dons, en euros", examples=[1500.0])
    cause_subventions: str | None = Field(title="Objet des subventions", examples=["Fonctionnement"])
    montant_subventions: float = Field(title="Montant des subventions, en euros", examples=[4000.0])
    montant_aides_sur_3ans: float = Field(title="Montant des aides reçues en trois ans, en euros", examples=[9000.0])
    total_charges: float = Field(title="Total des charges, en euros", examples=[12000.0])
    total_resultat: float = Field(title="Résultat, en euros", examples=[-300.0])
    total_produits: float = Field(title="Total des produits, en euros", examples=[11700.0])


class RepresentantLegal(Contract):
    """A natural person who acts for an establishment."""

    civilite: str | None = Field(title="Civilité", examples=["Madame"])
    nom: str | None = Field(title="Nom, en capitales", examples=["EXEMPLE"])
    prenom: str | None = Field(title="Prénom", examples=["Camille"])
    fonction: str | None = Field(title="Fonction", examples=["Présidente"])
    valideur_cec: bool = Field(
        title="Valide les heures de bénévolat",
        description="Si cette personne atteste les heures de bénévolat inscrites au compte d'engagement citoyen.",
        examples=[False],
    )
    publication_internet: bool = Field(title="A consenti à ce que son nom soit publié", examples=[False])
    telephone: str | None = Field(title="Téléphone", examples=["0199000000"])
    courriel: str | None = Field(title="Courriel", examples=["camille@association.example"])


class EtablissementOuvert(Contract):
    """An establishment in open data."""

    siren: str | None = Field(title="SIREN de l'association", examples=["999500002"])
    siret: str | None = Field(title="SIRET de l'établissement", examples=["99950000200012"])
    actif: bool = Field(title="Établissement actif", examples=[True])
    siege: bool = Field(title="Établissement siège", examples=[True])
    nom: str | None = Field(title="Nom de l'établissement", examples=["LES AMIS DE L'EXEMPLE"])
    telephone: str | None = Field(title="Téléphone", examples=["0199000000"])
    courriel: str | None = Field(title="Courriel", examples=["contact@association.example"])
    date_debut_activite: date | None = Field(title="Date de début d'activité", examples=["1998-05-01"])
    adresse: Adresse = Field(title="Adresse de l'établissement")
    activite_principale: Libelle = Field(title="Activité principale")
    tranche_effectif: Tranche = Field(
        title="Tranche d'effectif salarié",
        description="Celle de l'association entière : le fournisseur n'est pas suivi ici établissement par "
        "établissement.",
    )
    rhs: list[Rh] = Field(title="Moyens humains, année par année")
    comptes: list[Compte] = Field(title="Comptes, année par année")


class Etablissement(EtablissementOuvert):
    """An establishment, with its people and documents."""

    representants_legaux: list[RepresentantLegal] = Field(title="Représentants légaux")
    documents_dac: list[DocumentDac] = Field(
        title="Documents du compte de l'association",
        description="Sans les documents supprimés ni les relevés d'identité bancaire.",
    )


def _rh(sent: wire.Rh) -> Rh:
    return Rh(
        annee=sent.annee,
        nombre_benevoles=sent.nb_benevoles,
        nombre_volontaires=sent.nb_volontaires,
        nombre_salaries=sent.nb_salaries,
        nombre_salaries_etpt=sent.nb_salaries_etpt,
        nombre_emplois_aides=sent.nb_emplois_aides,
        nombre_personnels_detaches=sent.nb_personnels_detaches,
        nombre_adherents=Adherents(hommes=sent.nb_adherents_h, femmes=sent.nb_adherents_f, total=sent.nb_adherents),
    )


def _compte(sent: wire.Compte) -> Compte:
    return Compte(
        annee=sent.annee,
        commisaire_aux_comptes=sent.a_commisaire_aux_comptes,
        montant_dons=sent.dons,
        cause_subventions=sent.cause_subv,
        montant_subventions=sent.subv,
        montant_aides_sur_3ans=sent.aides_3ans,
        total_charges=sent.charges,
        total_resultat=sent.resultat,
        total_produits=sent.produits,
    )


def _is_in_office(sent: wire.RepresentantLegal) -> bool:
    """Neither removed, nor said to be no legal representative."""
    return sent.deleted == "false" and sent.est_representant_legal in (None, "true")


def _representant(sent: wire.RepresentantLegal) -> RepresentantLegal:
    return RepresentantLegal(
        civilite=sent.civilite,
        nom=sent.nom and sent.nom.upper(),
        prenom=sent.prenom,
        fonction=sent.fonction,
        valideur_cec=sent.valideur_cec,
        publication_internet=sent.publication_internet,
        telephone=sent.telephone,
        courriel=sent.courriel,
    )


def _common(place: wire.Etablissement, sent: wire.Asso) -> dict[str, Any]:
    """What both forms of an establishment hold."""
    activites = sent.activites
    return {
        "siren": place.id_siren,
        "siret": place.id_siret,
        "actif": place.actif,
        "siege": place.est_siege,
        "nom": place.nom,
        "telephone": place.telephone,
        "courriel": place.courriel,
        "date_debut_activite": place.date_actif,
        "adresse": adresse(place.adresse),
        "activite_principale": Libelle(code=place.id_activite_principale, libelle=place.lib_activite_principale),
        "tranche_effectif": Tranche(code=activites.id_tranche_effectif, libelle=activites.lib_tranche_effectif),
        "rhs": [_rh(rh) for rh in sent.rhs.rows if rh.id_siret == place.id_siret],
        "comptes": [_compte(compte) for compte in sent.comptes.rows if compte.id_siret == place.id_siret],
    }


def etablissements_ouverts(sent: wire.Asso) -> list[EtablissementOuvert]:
    """The establishments in open data."""
    return [EtablissementOuvert(**_common(place, sent)) for place in sent.etablissements.rows]


def etablissements(sent: wire.Asso, call: Call) -> list[Etablissement]:
    """The establishments, each with its people and documents."""
    return [
        Etablissement(
            **_common(place, sent),
            representants_legaux=[
                _representant(one)
                for one in sent.representants_legaux.rows
                if one.id_siret == place.id_siret and _is_in_office(one)
            ],
            documents_dac=documents_dac(sent, place.id_siret, call),
        )
        for place in sent.etablissements.rows
    ]
