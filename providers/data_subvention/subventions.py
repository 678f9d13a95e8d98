"""Subventions: what an association asked the State for, what it was granted, and what it was paid."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from config.quotas import JSON_RESOURCES
from providers.base import Call, Collection, Contract, Empty, Endpoint, Failure, Get, Reply, Single, Wire
from providers.data_subvention.service import DATA_SUBVENTION

Number = int | float
NUMBER = re.compile(r"-?\d{1,15}(\.\d+)?", re.ASCII)


def _object(value: Any) -> Any:
    """Whatever is no object tells nothing."""
    return value if isinstance(value, dict) else None


def _objects(value: Any) -> Any:
    """Whatever is no list holds nothing."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# What Data.Subvention sends: each value with where it comes from, and when it was told.


class Leaf(Wire):
    """A value with its source. Both are told as they come."""

    value: Any = None
    provider: str | None = None
    last_update: str | None = None

    @property
    def text(self) -> str | None:
        """The value of a text or of a date."""
        return None if self.value is None else str(self.value)

    @property
    def number(self) -> Number | None:
        """The value of an amount, a year or a rank, whole if it was sent so."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return self.value
        told = NUMBER.fullmatch(self.value.strip()) if isinstance(self.value, str) else None
        return None if told is None else float(told[0]) if told[1] else int(told[0])


ABSENT = Leaf()
Told = Annotated[Leaf | None, BeforeValidator(_object)]


class Montants(Wire):
    """The amounts of an application."""

    total: Told = None
    demande: Told = None
    accorde: Told = None


class CofinanceursEnvoyes(Wire):
    """Who else pays for a project."""

    noms: Told = None


class Action(Wire):
    """A project for which a grant is asked."""

    rang: Told = None
    intitule: Told = None
    objectifs: Told = None
    objectifs_operationnels: Told = None
    description: Told = None
    nature_aide: Told = None
    modalite_aide: Told = None
    modalite_ou_dispositif: Told = None
    indicateurs: Told = None
    cofinanceurs: Annotated[CofinanceursEnvoyes | None, BeforeValidator(_object)] = None


class Application(Wire):
    """An application for a grant."""

    siret: Told = None
    annee: Told = Field(None, alias="annee_demande")
    ej: Told = None
    cle: Told = Field(None, alias="versementKey")
    dispositif: Told = None
    sous_dispositif: Told = None
    montants: Annotated[Montants | None, BeforeValidator(_object)] = None
    actions: Annotated[list[Action], BeforeValidator(_objects)] = Field([], alias="actions_proposee")
    service_instructeur: Told = None
    commission: Told = Field(None, alias="date_commision")  # their spelling
    statut: Told = Field(None, alias="statut_label")


class Payment(Wire):
    """A payment, as the State's accounts have it."""

    ej: Told = None
    cle: Told = Field(None, alias="versementKey")
    montant: Told = Field(None, alias="amount")
    date: Told = Field(None, alias="dateOperation")
    centre_financier: Told = Field(None, alias="centreFinancier")
    domaine_fonctionnel: Told = Field(None, alias="domaineFonctionnel")
    activitee: Told = None
    bop: Told = None
    programme: Told = None
    libelle_programme: Told = Field(None, alias="libelleProgramme")


class Grant(Wire):
    """An application, with the payments that answer it; or payments that answer none that is known."""

    application: Annotated[Application | None, BeforeValidator(_object)] = None
    payments: Annotated[list[Payment], BeforeValidator(_objects)] = Field([])


class Reponse(Wire):
    """The whole answer."""

    subventions: list[Grant]


# What the contract promises.


def _is_absent(value: Any) -> bool:
    return value is None


class SubventionDemandee(Contract):
    """What was asked for."""

    dispositif: str | None = Field(title="Dispositif d'aide", examples=["Soutien aux projets fictifs"])
    sous_dispositif: str | None = Field(title="Volet du dispositif", examples=["Volet d'exemple"])
    montant_demande: Number | None = Field(title="Montant demandé, en euros", examples=[4000])


class Aide(Contract):
    """What kind of help is asked."""

    nature: str | None = Field(title="Nature de l'aide", examples=["Projet fictif"])
    modalite: str | None = Field(title="Modalité de l'aide", examples=["Aide au projet"])


class Projet(Contract):
    """A project of the application."""

    rang: Number | None = Field(title="Rang du projet dans la demande", examples=[1])
    intitule: str | None = Field(title="Intitulé du projet", examples=["Ateliers de cerfs-volants"])
    objectifs: str | None = Field(title="Objectifs du projet", examples=["Faire voler des cerfs-volants."])
    objectifs_operationnels: str | None = Field(title="Objectifs opérationnels", examples=["Développer la pratique"])
    description: str | None = Field(title="Description du projet", examples=["Dix séances dans trois écoles fictives."])
    aide: Aide = Field(title="Aide demandée")
    modalite_ou_dispositif: str | None = Field(title="Modalité ou dispositif", examples=["Diversifier la pratique"])
    indicateurs: str | None = Field(title="Indicateurs d'évaluation", examples=["Nombre de séances"])
    cofinanceurs: str | None = Field(
        title="Autres financeurs du projet",
        description="Leurs noms, séparés par des points-virgules.",
        examples=["Département fictif;Commune de Brumeval;"],
    )


class DescriptionProjets(Contract):
    """What the money is for."""

    estimation_cout_total: Number | None = Field(
        title="Coût total estimé des projets, en euros",
        description="Absent si le fournisseur ne le donne pas.",
        examples=[9000],
        exclude_if=_is_absent,
    )
    projet: list[Projet] = Field(title="Projets de la demande")


class Instruction(Contract):
    """How the application was dealt with."""

    service_instructeur: str | None = Field(title="Service qui instruit la demande", examples=["Service fictif"])
    date_commission: str | None = Field(
        title="Date de la commission qui a statué",
        description="Date et heure, telles que le fournisseur les donne.",
        examples=["2024-06-12T00:00:00.000Z"],
    )
    statut_demande: str | None = Field(
        title="Statut de la demande",
        description="« Accordé », « En instruction », « Refusé » ou « En attente ».",
        examples=["Accordé"],
    )
    montant_accorde: Number | None = Field(title="Montant accordé, en euros", examples=[3000])


class Demande(Contract):
    """An application."""

    fournisseur: str | None = Field(title="Système d'information d'où vient la demande", examples=["SOURCE FICTIVE"])
    date_mise_a_jour_information: str | None = Field(
        title="Date de mise à jour de la demande", examples=["2024-07-01T00:00:00.000Z"]
    )
    annee_exercice_demande: Number | None = Field(title="Exercice au titre duquel l'aide est demandée", examples=[2024])
    identifiant_engagement_juridique: str | None = Field(
        title="Numéro d'engagement juridique",
        description="Numéro de la dépense dans la comptabilité de l'État. Nul tant que rien n'est engagé.",
        examples=["2100000001"],
    )
    jointure_demandes_et_versements: str | None = Field(
        title="Clé commune à la demande et à ses paiements", examples=["2100000001"]
    )
    subvention_demandee: SubventionDemandee = Field(title="Subvention demandée")
    description_des_projets: DescriptionProjets = Field(title="Description des projets")
    instruction: Instruction = Field(title="Instruction de la demande")


class Programme(Contract):
    """The budget line that pays."""

    numero: str | None = Field(title="Numéro du programme budgétaire", examples=["999"])
    libelle: str | None = Field(title="Libellé du programme budgétaire", examples=["Programme fictif"])
    fournisseur: str | None = Field(title="Système d'information d'où vient le libellé", examples=["SOURCE FICTIVE"])
    date_mise_a_jour_information: str | None = Field(
        title="Date de mise à jour du libellé", examples=["2024-07-01T00:00:00.000Z"]
    )


class Paiement(Contract):
    """A payment."""

    fournisseur: str | None = Field(title="Système d'information d'où vient le paiement", examples=["SOURCE FICTIVE"])
    date_mise_a_jour_information: str | None = Field(
        title="Date de mise à jour du paiement", examples=["2024-10-01T00:00:00.000Z"]
    )
    jointure_demandes_et_versements: str | None = Field(
        title="Clé commune au paiement et à la demande", examples=["2100000001"]
    )
    montant_verse: Number | None = Field(title="Montant versé, en euros", examples=[1500])
    date_versement: str | None = Field(title="Date du versement", examples=["2024-09-18T00:00:00.000Z"])
    centre_financier: str | None = Field(title="Centre financier", examples=["UO FICTIVE"])
    domaine_fonctionnel: str | None = Field(title="Domaine fonctionnel", examples=["domaine fictif"])
    activitee: str | None = Field(title="Activité", examples=["activité fictive"])
    numero_bop: str | None = Field(title="Numéro du budget opérationnel de programme", examples=["999"])
    programme: Programme | None = Field(
        title="Programme budgétaire",
        description="Absent si le fournisseur n'en dit rien.",
        exclude_if=_is_absent,
    )


class Subvention(Contract):
    """An application and its payments."""

    demande_subvention: Demande | None = Field(
        title="Demande de subvention", description="Nulle pour des paiements sans demande connue."
    )
    paiements: list[Paiement] = Field(title="Paiements")


Subventions = Collection[Subvention, Empty, Empty]


# From one to the other.


def _text(leaf: Leaf | None) -> str | None:
    return (leaf or ABSENT).text


def _number(leaf: Leaf | None) -> Number | None:
    return (leaf or ABSENT).number


def _projet(action: Action) -> Projet:
    return Projet(
        rang=_number(action.rang),
        intitule=_text(action.intitule),
        objectifs=_text(action.objectifs),
        objectifs_operationnels=_text(action.objectifs_operationnels),
        description=_text(action.description),
        aide=Aide(nature=_text(action.nature_aide), modalite=_text(action.modalite_aide)),
        modalite_ou_dispositif=_text(action.modalite_ou_dispositif),
        indicateurs=_text(action.indicateurs),
        cofinanceurs=_text(action.cofinanceurs.noms) if action.cofinanceurs else None,
    )


def _demande(application: Application) -> Demande:
    source = application.siret or ABSENT
    montants = application.montants or Montants()
    return Demande(
        fournisseur=source.provider,
        date_mise_a_jour_information=source.last_update,
        annee_exercice_demande=_number(application.annee),
        identifiant_engagement_juridique=_text(application.ej),
        jointure_demandes_et_versements=_text(application.cle),
        subvention_demandee=SubventionDemandee(
            dispositif=_text(application.dispositif),
            sous_dispositif=_text(application.sous_dispositif),
            montant_demande=_number(montants.demande),
        ),
        description_des_projets=DescriptionProjets(
            estimation_cout_total=_number(montants.total),
            projet=[_projet(action) for action in application.actions],
        ),
        instruction=Instruction(
            service_instructeur=_text(application.service_instructeur),
            date_commission=_text(application.commission),
            statut_demande=_text(application.statut),
            montant_accorde=_number(montants.accorde),
        ),
    )


def _programme(payment: Payment) -> Programme | None:
    if payment.programme is None and payment.libelle_programme is None and payment.bop is None:
        return None
    source = payment.programme or ABSENT
    return Programme(
        numero=_text(payment.programme),
        libelle=_text(payment.libelle_programme),
        fournisseur=source.provider,
        date_mise_a_jour_information=source.last_update,
    )


def _paiement(payment: Payment) -> Paiement:
    source = payment.ej or ABSENT
    return Paiement(
        fournisseur=source.provider,
        date_mise_a_jour_information=source.last_update,
        jointure_demandes_et_versements=_text(payment.cle),
        montant_verse=_number(payment.montant),
        date_versement=_text(payment.date),
        centre_financier=_text(payment.centre_financier),
        domaine_fonctionnel=_text(payment.domaine_fonctionnel),
        activitee=_text(payment.activitee),
        numero_bop=_text(payment.bop),
        programme=_programme(payment),
    )


def normalise(sent: Reponse, call: Call) -> Subventions:
    """One item for each grant, in the order of the wire: which payment answers which application is as it came."""
    del call
    items = [
        Single[Subvention, Empty, Empty](
            data=Subvention(
                demande_subvention=_demande(grant.application) if grant.application else None,
                paiements=[_paiement(payment) for payment in grant.payments],
            ),
            links=Empty(),
            meta=Empty(),
        )
        for grant in sent.subventions
    ]
    return Subventions(data=items, meta=Empty(), links=Empty())


def nothing_known(reply: Reply) -> bool:
    """No grant at all."""
    return reply.status == 200 and reply.find("subventions") == []


subventions_v3 = Endpoint(
    operation_id="api_entreprise_v3_data_subvention_subventions",
    path="/v3/data_subvention/associations/{siren_or_siret_or_rna}/subventions",
    title="Subventions des associations",
    description=(
        "Subventions qu'une association a demandées à des services de l'État, ce qui lui a été accordé, et ce qui lui "
        "a été versé."
    ),
    tag="Subventions des associations",
    scopes=frozenset({"data_subvention_subventions"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=DATA_SUBVENTION,
    request=lambda call: Get(f"/association/{call['siren_or_siret_or_rna']}/grants"),
    wire=Reponse,
    # An identifier that it does not want is one that it does not know.
    failures=(Failure.NOT_FOUND.when(status=(400, 404)), Failure.NOT_FOUND.when(nothing_known)),
    normalise=normalise,
)
