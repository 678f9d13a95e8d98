"""Around an association: who belongs to its network, to which networks it belongs, and who has approved it."""

from datetime import date

from pydantic import Field

from providers.api_association import wire
from providers.api_association.values import Adresse, adresse, repaired
from providers.base import Call, Contract


class Membre(Contract):
    """An association that belongs to this one's network."""

    nom: str | None = Field(title="Nom", examples=["CLUB FICTIF"])
    rna: str | None = Field(title="Numéro RNA", examples=["W999000002"])
    siret: str | None = Field(title="SIRET", examples=["99950001000016"])
    telephone: str | None = Field(title="Téléphone", examples=["0199000000"])
    courriel: str | None = Field(title="Courriel", examples=["contact@club.example"])
    objet: str | None = Field(title="Objet", examples=["Donner des exemples."])
    adresse: Adresse = Field(title="Adresse")
    site_web: str | None = Field(title="Site web", examples=["https://club.example"])


class Agrement(Contract):
    """An approval by a public authority."""

    numero: str | None = Field(title="Numéro de l'agrément", examples=["99-0001"])
    date_attribution: date | None = Field(title="Date d'attribution", examples=["2017-10-18"])
    type: str | None = Field(title="Domaine de l'agrément", examples=["Jeunesse et éducation populaire"])
    niveau: str | None = Field(title="Portée", description="« national » ou « local ».", examples=["local"])
    attributeur: str | None = Field(title="Autorité qui l'a attribué", examples=["Préfecture fictive"])
    url: str | None = Field(
        title="Adresse de l'agrément",
        description="Adresse chez le fournisseur, qui peut demander un accès.",
        examples=["https://mi.example/apim/api-asso/documents/99"],
    )


class Licencies(Contract):
    """The licence holders of a club in its federation."""

    hommes: int | None = Field(title="Nombre de licenciés hommes", examples=[40])
    femmes: int | None = Field(title="Nombre de licenciées femmes", examples=[60])
    total: int | None = Field(title="Nombre de licenciés en tout", examples=[100])


class Affiliation(Contract):
    """A network to which the association belongs."""

    nom: str | None = Field(title="Nom du réseau", examples=["FEDERATION FICTIVE"])
    numero: str | None = Field(title="Numéro d'affiliation", examples=["99001"])
    rna: str | None = Field(title="Numéro RNA du réseau", examples=["W999000003"])
    siret: str | None = Field(title="SIRET du réseau", examples=["99950002800012"])
    objet: str | None = Field(title="Objet du réseau", examples=["Réunir des exemples."])
    adresse: Adresse = Field(title="Adresse du réseau")
    telephone: str | None = Field(title="Téléphone du réseau", examples=["01 99 00 00 00"])
    courriel: str | None = Field(title="Courriel du réseau", examples=["contact@federation.example"])
    attestation_affiliation_url: str | None = Field(
        title="Adresse de l'attestation d'affiliation", examples=["https://federation.example/attestation"]
    )
    nombre_licencies: Licencies = Field(title="Nombre de licenciés de l'association dans ce réseau")


def composition_reseau(sent: wire.Asso) -> list[Membre]:
    """Who belongs to its network."""
    return [
        Membre(
            nom=membre.nom,
            rna=membre.id_rna,
            siret=membre.id_siret,
            telephone=membre.telephone,
            courriel=membre.courriel,
            objet=membre.objet,
            adresse=adresse(membre.adresse),
            site_web=membre.site_web,
        )
        for membre in sent.composition_reseau.rows
    ]


def agrements(sent: wire.Asso, call: Call) -> list[Agrement]:
    """Who has approved it."""
    return [
        Agrement(
            numero=agrement.numero,
            date_attribution=agrement.date_attribution,
            type=agrement.type,
            niveau=agrement.niveau,
            attributeur=agrement.attributeur,
            url=repaired(agrement.url, call),
        )
        for agrement in sent.agrements.rows
    ]


def reseaux_affiliation(sent: wire.Asso) -> list[Affiliation]:
    """To which networks it belongs."""
    return [
        Affiliation(
            nom=reseau.nom,
            numero=reseau.numero,
            rna=reseau.id_rna,
            siret=reseau.id_siret,
            objet=reseau.objet,
            adresse=adresse(reseau.adresse),
            telephone=reseau.telephone,
            courriel=reseau.courriel,
            attestation_affiliation_url=reseau.url,
            nombre_licencies=Licencies(
                hommes=reseau.nb_licencies_h, femmes=reseau.nb_licencies_f, total=reseau.nb_licencies
            ),
        )
        for reseau in sent.reseaux_affiliation.rows
    ]
