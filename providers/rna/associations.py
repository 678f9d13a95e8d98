"""Association: what the register of associations holds on one."""

from datetime import date

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.api_association import wire
from providers.api_association.outcomes import association_failures
from providers.api_association.values import Adresse, adresse
from providers.base import Cache, Call, Contract, Empty, Endpoint, Single
from providers.base.parameters import siret_is_valid
from providers.rna.register import NOT_FOUND, PARAMETER, QUESTION, REGISTER


class AssociationV3(Contract):
    """What the contract promises. Any of it may be unknown to the register, whatever the contract says."""

    rna_id: str | None = Field(
        title="Numéro RNA",
        description="Nul pour une association du Bas-Rhin, du Haut-Rhin ou de la Moselle.",
        examples=["W999000001"],
    )
    titre: str | None = Field(title="Nom de l'association", examples=["LES AMIS DE L'EXEMPLE"])
    objet: str | None = Field(title="Objet de l'association", examples=["Donner des exemples."])
    siret: str | None = Field(
        title="SIRET demandé", description="Nul si l'appel porte un numéro RNA.", examples=["99950000200012"]
    )
    siret_siege_social: str | None = Field(title="SIRET du siège", examples=["99950000200012"])
    date_creation: date | None = Field(title="Date de création", examples=["1998-03-14"])
    date_declaration: date | None = Field(
        title="Date de la dernière déclaration",
        description="Le répertoire n'a qu'une date de mise à jour : elle paraît aussi dans `mise_a_jour`.",
        examples=["2021-09-30"],
    )
    date_publication: date | None = Field(title="Date de publication au Journal officiel", examples=["1998-04-02"])
    date_dissolution: date | None = Field(title="Date de dissolution", examples=[None])
    adresse_siege: Adresse = Field(title="Adresse du siège")
    etat: bool = Field(title="Association active", examples=[True])
    groupement: str | None = Field(
        title="Groupement", description="« Simple », « Union » ou « Fédération ».", examples=["Simple"]
    )
    mise_a_jour: date | None = Field(title="Date de mise à jour du répertoire", examples=["2021-09-30"])


AssociationRna = Single[AssociationV3, Empty, Empty]


def normalise(sent: wire.Asso, call: Call) -> AssociationRna:
    """The register's part of what the service knows."""
    identite, asked = sent.identite, str(call[PARAMETER])
    data = AssociationV3(
        rna_id=identite.id_rna,
        titre=identite.nom,
        objet=sent.activites.objet,
        siret=asked if siret_is_valid(asked) else None,
        siret_siege_social=identite.id_siret_siege,
        date_creation=identite.date_creat,
        date_declaration=identite.date_modif_rna,
        date_publication=identite.date_pub_jo,
        date_dissolution=identite.date_dissolution,
        adresse_siege=adresse(sent.coordonnees.adresse_siege),
        etat=identite.active,
        groupement=identite.groupement,
        mise_a_jour=identite.date_modif_rna,
    )
    return AssociationRna(data=data, links=Empty(), meta=Empty())


associations_v3 = Endpoint(
    operation_id="api_entreprise_v3_mi_associations",
    path="/v3/ministere_interieur/rna/associations/{siret_or_rna}",
    title="Association au répertoire national des associations",
    description=(
        "Nom, objet, siège et dates d'une association, telle que le répertoire national des associations (RNA) la "
        "connaît."
    ),
    tag="Informations générales",
    scopes=frozenset({"associations", "open_data"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=REGISTER,
    request=QUESTION,
    wire=wire.read,
    failures=association_failures(NOT_FOUND),
    normalise=normalise,
    deprecated=True,
)
