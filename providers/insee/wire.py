"""What Sirene sends: legal units, with or without their history, and establishments with their address."""

from datetime import date
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from providers.base import OneOrMany, Wire


def _day(value: object) -> object:
    return value if not isinstance(value, str) else value[:10] if value.strip() else None


Day = Annotated[date | None, BeforeValidator(_day)]
"""A calendar date, alone or at the head of a date-time whose hour says nothing."""


class Changing(Wire):
    """What changes in the life of a legal unit: a period holds it, and so does a legal unit told without history."""

    etat: str | None = Field(None, alias="etatAdministratifUniteLegale")
    nom: str | None = Field(None, alias="nomUniteLegale")
    nom_usage: str | None = Field(None, alias="nomUsageUniteLegale")
    denomination: str | None = Field(None, alias="denominationUniteLegale")
    denomination_usuelle: str | None = Field(None, alias="denominationUsuelle1UniteLegale")
    categorie_juridique: str | None = Field(None, alias="categorieJuridiqueUniteLegale")
    activite: str | None = Field(None, alias="activitePrincipaleUniteLegale")
    nic_siege: str | None = Field(None, alias="nicSiegeUniteLegale")
    economie_sociale: str | None = Field(None, alias="economieSocialeSolidaireUniteLegale")


_CHANGING = frozenset(Changing.model_fields)


class PeriodeUniteLegale(Changing):
    """A span of a legal unit's life during which nothing changed."""

    debut: Day = Field(None, alias="dateDebut")
    fin: Day = Field(None, alias="dateFin")
    etat_changed: bool | None = Field(None, alias="changementEtatAdministratifUniteLegale")


class UniteLegale(Changing):
    """A legal unit as an establishment carries it: present values only, and no SIREN."""

    statut: str | None = Field(None, alias="statutDiffusionUniteLegale")
    creation: Day = Field(None, alias="dateCreationUniteLegale")
    traitement: Day = Field(None, alias="dateDernierTraitementUniteLegale")
    sigle: str | None = Field(None, alias="sigleUniteLegale")
    sexe: str | None = Field(None, alias="sexeUniteLegale")
    prenom_1: str | None = Field(None, alias="prenom1UniteLegale")
    prenom_2: str | None = Field(None, alias="prenom2UniteLegale")
    prenom_3: str | None = Field(None, alias="prenom3UniteLegale")
    prenom_4: str | None = Field(None, alias="prenom4UniteLegale")
    prenom_usuel: str | None = Field(None, alias="prenomUsuelUniteLegale")
    pseudonyme: str | None = Field(None, alias="pseudonymeUniteLegale")
    rna: str | None = Field(None, alias="identifiantAssociationUniteLegale")
    tranche: str | None = Field(None, alias="trancheEffectifsUniteLegale")
    tranche_annee: str | None = Field(None, alias="anneeEffectifsUniteLegale")
    categorie: str | None = Field(None, alias="categorieEntreprise")
    activite_naf_2025: str | None = Field(None, alias="activitePrincipaleNAF25UniteLegale")


class UniteLegaleAndPeriodes(UniteLegale):
    """A legal unit on its own: what changes is in its periods, newest first, and is here as of the current one."""

    siren: str
    periodes: OneOrMany[PeriodeUniteLegale] = Field([], alias="periodesUniteLegale")

    @model_validator(mode="after")
    def _as_of_now(self) -> Self:
        """Lay what the current period tells, where there is one, over what the legal unit itself does."""
        for periode in self.periodes:
            if periode.fin is None:
                told = vars(periode)
                vars(self).update({name: told[name] for name in periode.model_fields_set & _CHANGING})
                break
        return self


class PeriodeEtablissement(Wire):
    """A span of an establishment's life during which nothing changed."""

    debut: Day = Field(None, alias="dateDebut")
    fin: Day = Field(None, alias="dateFin")
    etat: str | None = Field(None, alias="etatAdministratifEtablissement")
    etat_changed: bool | None = Field(None, alias="changementEtatAdministratifEtablissement")
    enseigne_1: str | None = Field(None, alias="enseigne1Etablissement")
    enseigne_2: str | None = Field(None, alias="enseigne2Etablissement")
    enseigne_3: str | None = Field(None, alias="enseigne3Etablissement")
    activite: str | None = Field(None, alias="activitePrincipaleEtablissement")


class Adresse(Wire):
    """An address, in France or abroad."""

    complement: str | None = Field(None, alias="complementAdresseEtablissement")
    numero: str | None = Field(None, alias="numeroVoieEtablissement")
    repetition: str | None = Field(None, alias="indiceRepetitionEtablissement")
    type_voie: str | None = Field(None, alias="typeVoieEtablissement")
    voie: str | None = Field(None, alias="libelleVoieEtablissement")
    code_postal: str | None = Field(None, alias="codePostalEtablissement")
    commune: str | None = Field(None, alias="libelleCommuneEtablissement")
    commune_etranger: str | None = Field(None, alias="libelleCommuneEtrangerEtablissement")
    distribution: str | None = Field(None, alias="distributionSpecialeEtablissement")
    code_commune: str | None = Field(None, alias="codeCommuneEtablissement")
    code_cedex: str | None = Field(None, alias="codeCedexEtablissement")
    cedex: str | None = Field(None, alias="libelleCedexEtablissement")
    code_pays: str | None = Field(None, alias="codePaysEtrangerEtablissement")
    pays: str | None = Field(None, alias="libellePaysEtrangerEtablissement")


class Etablissement(Wire):
    """An establishment, with its history, its address and the legal unit it belongs to."""

    siret: str
    statut: str | None = Field(None, alias="statutDiffusionEtablissement")
    creation: Day = Field(None, alias="dateCreationEtablissement")
    traitement: Day = Field(None, alias="dateDernierTraitementEtablissement")
    tranche: str | None = Field(None, alias="trancheEffectifsEtablissement")
    tranche_annee: str | None = Field(None, alias="anneeEffectifsEtablissement")
    is_siege: bool = Field(alias="etablissementSiege")
    activite_naf_2025: str | None = Field(None, alias="activitePrincipaleNAF25Etablissement")
    unite_legale: UniteLegale = Field(alias="uniteLegale")
    adresse: Adresse = Field(alias="adresseEtablissement")
    periodes: OneOrMany[PeriodeEtablissement] = Field([], alias="periodesEtablissement")

    @property
    def siren(self) -> str:
        """The SIREN of its legal unit, with which its SIRET begins."""
        return self.siret[:9]


class UniteLegaleSent(Wire):
    """The answer about a SIREN."""

    unite_legale: UniteLegaleAndPeriodes = Field(alias="uniteLegale")


class EtablissementSent(Wire):
    """The answer about a SIRET."""

    etablissement: Etablissement


class EtablissementsSent(Wire):
    """The answer of a search."""

    etablissements: list[Etablissement]
