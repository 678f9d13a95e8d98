"""Bénéficiaires effectifs: the natural persons who own or control a company in the end, and how they do."""

from typing import Any

from pydantic import Field

from config.quotas import INPI_RNE
from providers.base import (
    Cache,
    Call,
    Collection,
    Contract,
    Empty,
    Endpoint,
    Failure,
    Get,
    OneOrMany,
    Reply,
    Single,
    Tool,
)
from providers.inpi_rne.rne import COMPANIES, COMPANY_FAILURES, NOT_FOUND_DETAIL, RNE, sent
from providers.inpi_rne.texts import upper
from providers.inpi_rne.wire import Personne, Sparse

Modalite = dict[str, Any]
"""What INPI sends of how somebody controls: numbers and truth values, by name."""


class BeneficiaireEnvoye(Sparse):
    """What INPI sends of somebody who controls; `modalite` is missing where it does not know how."""

    id: str | None = Field(None, alias="beneficiaireId")
    personne: Personne = Field(alias="beneficiaire", default_factory=Personne)
    modalite: Modalite | None = None


class Sent(Sparse):
    """Those who control a company."""

    beneficiaires: OneOrMany[BeneficiaireEnvoye] = Field(alias="beneficiairesEffectifs")


class DateNaissance(Contract):
    """A birth date, of which the day is not told."""

    annee: str | None = Field(title="Année de naissance", examples=["1970"])
    mois: str | None = Field(title="Mois de naissance, de 01 à 12", examples=["04"])


_SHARE = "Part, en pour cent"


class Proportions(Contract):
    """Shares, by the right they are held under."""

    pleine_propriete: float | None = Field(title=f"{_SHARE}, en pleine propriété", examples=[42.0])
    nue_propriete: float | None = Field(title=f"{_SHARE}, en nue-propriété", examples=[9.0])


class PartsDirectes(Proportions):
    """Shares held by the person."""

    detention: bool | None = Field(title="Si la personne détient des parts elle-même", examples=[True])


class Parts(Proportions):
    """Shares held through others."""

    total: float | None = Field(title="Total, en pour cent", examples=[0.0])


class PartsDAutres(Contract):
    """Shares held through others, by way."""

    par_indivision: Parts = Field(title="Parts en indivision")
    via_personnes_morales: Parts = Field(title="Parts tenues par des personnes morales")


class PartsIndirectes(PartsDAutres):
    """Shares held through others, and whether there are any."""

    detention: bool | None = Field(title="Si la personne détient des parts par d'autres", examples=[False])


class DetentionDeCapital(Contract):
    """The capital."""

    parts_totale: float | None = Field(title="Part totale du capital, en pour cent", examples=[51.0])
    parts_directes: PartsDirectes = Field(title="Parts détenues directement")
    parts_indirectes: PartsIndirectes = Field(title="Parts détenues par d'autres")


class Vocation(Contract):
    """The capital that a legal act is to bring."""

    parts_directes: Proportions = Field(title="Parts à détenir directement")
    parts_indirectes: PartsDAutres = Field(title="Parts à détenir par d'autres")


class Votes(Proportions):
    """Votes, by the right they are held under."""

    usufruit: float | None = Field(title=f"{_SHARE}, en usufruit", examples=[0.0])


class VotesDirects(Votes):
    """Votes of the person."""

    detention: bool | None = Field(title="Si la personne a des voix elle-même", examples=[True])


class VotesDAutres(Votes):
    """Votes held through others."""

    total: float | None = Field(title="Total, en pour cent", examples=[0.0])


class VotesIndirects(Contract):
    """Votes held through others, by way."""

    detention: bool | None = Field(title="Si la personne a des voix par d'autres", examples=[False])
    par_indivision: VotesDAutres = Field(title="Voix en indivision")
    via_personnes_morales: VotesDAutres = Field(title="Voix tenues par des personnes morales")


class DroitsDeVote(Contract):
    """The votes."""

    total: float | None = Field(title="Part totale des voix, en pour cent", examples=[51.0])
    directes: VotesDirects = Field(title="Voix détenues directement")
    indirectes: VotesIndirects = Field(title="Voix détenues par d'autres")


class PouvoirsDeControle(Contract):
    """Control by other means."""

    decision_ag: bool | None = Field(title="Si la personne décide en assemblée générale", examples=[False])
    nommage_membres_conseil_administratif: bool | None = Field(
        title="Si la personne nomme les membres du conseil d'administration", examples=[False]
    )
    autres: bool | None = Field(title="Si la personne contrôle par un autre moyen", examples=[False])


class Modalites(Contract):
    """How somebody controls a company."""

    detention_de_capital: DetentionDeCapital = Field(title="Capital")
    vocation_a_devenir_titulaire_de_parts: Vocation = Field(title="Parts qu'un acte juridique doit apporter")
    droits_de_vote: DroitsDeVote = Field(title="Droits de vote")
    pouvoirs_de_controle: PouvoirsDeControle = Field(title="Autres pouvoirs de contrôle")
    representant_legal: bool | None = Field(title="Si la personne est représentante légale", examples=[False])
    representant_legal_placement_sans_gestion_deleguee: bool | None = Field(
        title="Si la personne représente un placement collectif sans gestion déléguée", examples=[False]
    )


class Beneficiaire(Contract):
    """Somebody who controls a company."""

    beneficiaire_uuid: str | None = Field(
        title="Identifiant de la personne à l'INPI", examples=["00000000-0000-4000-8000-000000000001"]
    )
    nom: str | None = Field(title="Nom de naissance, en capitales", examples=["EXEMPLE"])
    nom_usage: str | None = Field(title="Nom d'usage, en capitales", examples=["MODELE"])
    prenoms: list[str] | None = Field(title="Prénoms, en capitales", examples=[["CAMILLE", "ANDREA"]])
    date_naissance: DateNaissance = Field(title="Date de naissance, sans le jour")
    nationalite: str | None = Field(title="Nationalité", examples=["Française"])
    pays_residence: str | None = Field(title="Pays de résidence", examples=["FRANCE"])
    modalites: Modalites = Field(title="Comment la personne contrôle l'entreprise")


class Meta(Contract):
    """Of the list."""

    count: int = Field(title="Nombre de bénéficiaires", examples=[2])
    beneficiaires_sans_modalites_uuids: list[str] = Field(
        title="Bénéficiaires dont les modalités ne sont pas connues",
        description="Ils ne figurent pas dans la liste : seul leur identifiant est donné.",
        examples=[["00000000-0000-4000-8000-000000000002"]],
    )


BeneficiairesEffectifs = Collection[Beneficiaire, Empty, Meta]


def normalise(sent: Sent, call: Call) -> BeneficiairesEffectifs:
    """Those of whom it is known how they control."""
    del call
    found = [_beneficiaire(one, one.modalite) for one in sent.beneficiaires if one.modalite is not None]
    unknown = [one.id for one in sent.beneficiaires if one.modalite is None and one.id is not None]
    return BeneficiairesEffectifs(
        data=[Single(data=one, links=Empty(), meta=Empty()) for one in found],
        meta=Meta(count=len(found), beneficiaires_sans_modalites_uuids=unknown),
        links=Empty(),
    )


def _beneficiaire(sent: BeneficiaireEnvoye, modalite: Modalite) -> Beneficiaire:
    person = sent.personne.description
    year, _, rest = (person.naissance or "").partition("-")
    return Beneficiaire(
        beneficiaire_uuid=sent.id,
        nom=upper(person.nom),
        nom_usage=upper(person.nom_usage),
        prenoms=None if person.prenoms is None else [name.upper() for name in person.prenoms],
        date_naissance=DateNaissance(annee=year or None, mois=rest.partition("-")[0] or None),
        nationalite=person.nationalite,
        pays_residence=sent.personne.domicile.pays,
        modalites=_modalites(modalite),
    )


def _modalites(sent: Modalite) -> Modalites:
    at = sent.get
    return Modalites(
        detention_de_capital=_capital(sent),
        vocation_a_devenir_titulaire_de_parts=_vocation(sent),
        droits_de_vote=_votes(sent),
        pouvoirs_de_controle=PouvoirsDeControle(
            decision_ag=at("detentionPouvoirDecisionAG"),
            nommage_membres_conseil_administratif=at("detentionPouvoirNommageMembresConseilAdmin"),
            autres=at("detentionAutresMoyensControle"),
        ),
        representant_legal=at("beneficiaireRepresentantLegal"),
        representant_legal_placement_sans_gestion_deleguee=at("representantLegalPlacementSansGestionDelegue"),
    )


def _capital(sent: Modalite) -> DetentionDeCapital:
    at = sent.get
    return DetentionDeCapital(
        parts_totale=at("detentionPartTotale"),
        parts_directes=PartsDirectes(
            detention=at("detentionPartDirecte"),
            pleine_propriete=at("partsDirectesPleinePropriete"),
            nue_propriete=at("partsDirectesNuePropriete"),
        ),
        parts_indirectes=PartsIndirectes(
            detention=at("detentionPartIndirecte"),
            par_indivision=Parts(
                total=at("partsIndirectesIndivision"),
                pleine_propriete=at("partsIndirectesIndivisionPleinePropriete"),
                nue_propriete=at("partsIndirectesIndivisionNuePropriete"),
            ),
            via_personnes_morales=Parts(
                total=at("partsIndirectesPersonnesMorales"),
                pleine_propriete=at("partsIndirectesPmoralesPleinePropriete"),
                nue_propriete=at("partsIndirectesPmoralesNuePropriete"),
            ),
        ),
    )


def _vocation(sent: Modalite) -> Vocation:
    at = sent.get
    return Vocation(
        parts_directes=Proportions(
            pleine_propriete=at("vocationTitulaireDirectePleinePropriete"),
            nue_propriete=at("vocationTitulaireDirecteNuePropriete"),
        ),
        parts_indirectes=PartsDAutres(
            par_indivision=Parts(
                total=at("vocationTitulaireIndirecteIndivision"),
                pleine_propriete=at("vocationTitulaireIndirectePleinePropriete"),
                nue_propriete=at("vocationTitulaireIndirecteNuePropriete"),
            ),
            via_personnes_morales=Parts(
                total=at("vocationTitulaireIndirectePersonnesMorales"),
                pleine_propriete=at("vocationTitulaireIndirectePmoralesPleinePropriete"),
                nue_propriete=at("vocationTitulaireIndirectePmoralesNuePropriete"),
            ),
        ),
    )


def _votes(sent: Modalite) -> DroitsDeVote:
    at = sent.get

    def of_others(total: str, start: str) -> VotesDAutres:
        return VotesDAutres(
            total=at(total),
            pleine_propriete=at(f"{start}PleinePropriete"),
            nue_propriete=at(f"{start}NuePropriete"),
            usufruit=at(f"{start}Usufruit"),
        )

    return DroitsDeVote(
        total=at("detentionVoteTotal"),
        directes=VotesDirects(
            detention=at("detentionVoteDirecte"),
            pleine_propriete=at("voteDirectePleinePropriete"),
            nue_propriete=at("voteDirecteNuePropriete"),
            usufruit=at("voteDirecteUsufruit"),
        ),
        indirectes=VotesIndirects(
            detention=at("detentionVoteIndirecte"),
            par_indivision=of_others("voteIndirecteIndivision", "voteIndirecteIndivision"),
            via_personnes_morales=of_others("voteIndirectePersonnesMorales", "voteIndirectePmorales"),
        ),
    )


# The rules.


def content(reply: Reply) -> Any:
    """The content of the formality; None where there is none."""
    value = sent(reply)
    for name in ("formality", "content"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def has_no_content(reply: Reply) -> bool:
    """No formality, or one without content."""
    return reply.status == 200 and content(reply) is None


def has_nobody(reply: Reply) -> bool:
    """A sole trader, or a company that has declared nobody."""
    if reply.status != 200:
        return False
    company = content(reply).get("personneMorale")
    return not (isinstance(company, dict) and company.get("beneficiairesEffectifs"))


beneficiaires_effectifs_v3 = Endpoint(
    operation_id="api_entreprise_v3_inpi_rne_beneficiaires_effectifs",
    path="/v3/inpi/rne/unites_legales/{siren}/beneficiaires_effectifs",
    mcp=Tool(name="inpi.rne.beneficiaires_effectifs"),
    title="Bénéficiaires effectifs",
    description="Personnes physiques qui possèdent ou contrôlent une entreprise en dernier ressort, telles qu'elles "
    "sont déclarées au registre national des entreprises.",
    tag="Informations générales",
    scopes=frozenset({"beneficiaires_effectifs_inpi"}),
    quota=INPI_RNE,
    cache=Cache.until_next_day(3),
    provider=RNE,
    request=lambda call: Get(f"{COMPANIES}/{call.siren}"),
    wire=lambda reply: Sent.model_validate(content(reply)["personneMorale"]),
    failures=(
        *COMPANY_FAILURES,
        Failure.UNKNOWN.when(has_no_content),
        Failure.NOT_FOUND.when(has_nobody, detail=NOT_FOUND_DETAIL),
    ),
    normalise=normalise,
)

beneficiaires_effectifs_open_data_v3 = beneficiaires_effectifs_v3.but(
    operation_id="api_entreprise_v3_inpi_rne_beneficiaires_effectifs_open_data",
    path="/v3/inpi/rne/unites_legales/open_data/{siren}/beneficiaires_effectifs",
    title="Bénéficiaires effectifs (ancienne adresse)",
    description="La même réponse à une adresse que le contrat ne connaît pas, pour les logiciels qui l'emploient. Elle "
    "demande le même droit.",
    deprecated=True,
)
"""The official service serves it to any token of `open_data`; data of natural persons need a right of their own."""
