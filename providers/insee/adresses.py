"""Adresses: where an establishment is, as fields and as the lines of a letter, by SIRET."""

from collections.abc import Iterable

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import Cache, Call, Contract, Endpoint, Single
from providers.insee import wire
from providers.insee.conversions import PERSONNE_PHYSIQUE, Diffusion, diffusion, epoch
from providers.insee.masking import MASKED, check_may_be_shown
from providers.insee.sirene import FAILURES, NOT_FOUND, SIRENE, SIRET_IS_CONFIDENTIAL, ask_etablissement, follow_siret

# What the contract promises.


class AcheminementPostal(Contract):
    """The address as the lines of a letter. It is only put in order, not checked against the postal directory."""

    l1: str | None = Field(
        title="Ligne 1",
        description="Dénominations de la personne morale ; vide pour une personne physique.",
        examples=["SOCIETE FICTIVE"],
    )
    l2: str | None = Field(
        title="Ligne 2",
        description="Nom et premier prénom de la personne physique ; vide pour une personne morale.",
        examples=[""],
    )
    l3: str | None = Field(title="Ligne 3", description="Complément d'adresse.", examples=["BATIMENT B"])
    l4: str | None = Field(title="Ligne 4", description="Numéro et voie.", examples=["8 BIS RUE DES TANNEURS"])
    l5: str | None = Field(title="Ligne 5", description="Distribution spéciale.", examples=["BP 40"])
    l6: str | None = Field(
        title="Ligne 6",
        description="Code et libellé du CEDEX, à défaut code postal et commune ; commune seule à l'étranger.",
        examples=["69002 LYON"],
    )
    l7: str | None = Field(title="Ligne 7", description="Pays.", examples=["FRANCE"])


class Adresse(Contract):
    """An address, in France or abroad."""

    numero_voie: str | None = Field(
        title="Numéro dans la voie", description="Nul lorsque l'adresse n'en comporte pas.", examples=["8"]
    )
    indice_repetition_voie: str | None = Field(
        title="Indice de répétition du numéro",
        description="« bis », « ter », « quater » ou « quinquies » ; toute autre valeur est celle de l'INSEE.",
        examples=["bis"],
    )
    type_voie: str | None = Field(
        title="Type de voie",
        description="En toutes lettres et en majuscules ; nul si l'INSEE ne le distingue pas du libellé.",
        examples=["RUE"],
    )
    libelle_voie: str | None = Field(title="Libellé de la voie", examples=["DES TANNEURS"])
    complement_adresse: str | None = Field(
        title="Complément d'adresse",
        description="Bâtiment, entrée, résidence ou zone qui précise l'adresse.",
        examples=["BATIMENT B"],
    )
    code_commune: str | None = Field(
        title="Code de la commune",
        description="Code officiel géographique de la commune à ce jour ; nul à l'étranger.",
        examples=["69382"],
    )
    libelle_commune: str | None = Field(
        title="Commune", description="Nulle pour une adresse à l'étranger.", examples=["LYON"]
    )
    code_postal: str | None = Field(title="Code postal", examples=["69002"])
    distribution_speciale: str | None = Field(
        title="Distribution spéciale",
        description="Boîte postale, tri par service, course spéciale…",
        examples=["BP 40"],
    )
    code_cedex: str | None = Field(
        title="Code CEDEX", description="Code du courrier d'entreprise, lorsqu'il y en a un.", examples=["69287"]
    )
    libelle_cedex: str | None = Field(
        title="Libellé du CEDEX", description="Nul lorsqu'il n'y a pas de code CEDEX.", examples=["LYON CEDEX 02"]
    )
    libelle_commune_etranger: str | None = Field(
        title="Commune à l'étranger", description="Nulle pour une adresse en France.", examples=[None]
    )
    code_pays_etranger: str | None = Field(
        title="Code du pays", description="Code de l'INSEE ; nul pour une adresse en France.", examples=[None]
    )
    libelle_pays_etranger: str | None = Field(
        title="Pays", description="Nul pour une adresse en France.", examples=[None]
    )
    status_diffusion: Diffusion | None = Field(
        title="Statut de diffusion de l'établissement",
        description=(
            "« partiellement_diffusible » lorsque l'entreprise s'est opposée à la diffusion de ses données "
            "personnelles ; « non_diffusible » est un ancien statut."
        ),
        examples=["diffusible"],
    )
    acheminement_postal: AcheminementPostal = Field(
        title="Lignes de l'adresse postale",
        description="L'adresse mise en lignes ; elle n'est pas confrontée à un référentiel postal.",
    )


class LiensAdresse(Contract):
    """Who is at that address."""

    unite_legale: str = Field(
        title="Unité légale",
        description="Lien vers les données de l'unité légale.",
        examples=["https://octroi.example/v3/insee/sirene/unites_legales/999500002"],
    )
    etablissement: str = Field(
        title="Établissement",
        description="Lien vers les données de l'établissement.",
        examples=["https://octroi.example/v3/insee/sirene/etablissements/99950000200012"],
    )


class MetaAdresse(Contract):
    """Of when the data are."""

    date_derniere_mise_a_jour: int | None = Field(
        title="Dernière mise à jour",
        description="Jour du dernier traitement par l'INSEE : minuit à Paris, en secondes depuis 1970.",
        examples=[1714255200],
    )


AdresseResponse = Single[Adresse, LiensAdresse, MetaAdresse]

# How one becomes the other.

_TYPES_VOIE = {
    "ALL": "Allée",
    "AV": "Avenue",
    "BD": "Boulevard",
    "CAR": "Carrefour",
    "CHE": "Chemin",
    "CHS": "Chaussée",
    "CITE": "Cité",
    "COR": "Corniche",
    "CRS": "Cours",
    "DOM": "Domaine",
    "DSC": "Descente",
    "ECA": "Ecart",
    "ESP": "Esplanade",
    "FG": "Faubourg",
    "GR": "Grande Rue",
    "HAM": "Hameau",
    "HLE": "Halle",
    "IMP": "Impasse",
    "LD": "Lieu-dit",
    "LOT": "Lotissement",
    "MAR": "Marché",
    "MTE": "Montée",
    "PAS": "Passage",
    "PL": "Place",
    "PLN": "Plaine",
    "PLT": "Plateau",
    "PRO": "Promenade",
    "PRV": "Parvis",
    "QUA": "Quartier",
    "QUAI": "Quai",
    "RES": "Résidence",
    "RLE": "Ruelle",
    "ROC": "Rocade",
    "RPT": "Rond-point",
    "RTE": "Route",
    "RUE": "Rue",
    "SEN": "Sentier",
    "SQ": "Square",
    "TPL": "Terre-plein",
    "TRA": "Traverse",
    "VLA": "Villa",
    "VLGE": "Village",
}
_REPETITIONS = {"B": "bis", "T": "ter", "Q": "quater", "C": "quinquies"}


def adresse(etablissement: wire.Etablissement) -> Adresse:
    """The address of an establishment with all that Sirene says, protected data included."""
    sent = etablissement.adresse
    return Adresse(
        numero_voie=sent.numero,
        indice_repetition_voie=_REPETITIONS.get(sent.repetition, sent.repetition) if sent.repetition else None,
        type_voie=_type_voie(sent.type_voie),
        libelle_voie=sent.voie,
        complement_adresse=sent.complement,
        code_commune=sent.code_commune,
        libelle_commune=sent.commune,
        code_postal=sent.code_postal,
        distribution_speciale=sent.distribution,
        code_cedex=sent.code_cedex,
        libelle_cedex=sent.cedex,
        libelle_commune_etranger=sent.commune_etranger,
        code_pays_etranger=sent.code_pays,
        libelle_pays_etranger=sent.pays,
        status_diffusion=diffusion(etablissement.statut),
        acheminement_postal=_lines(sent, etablissement.unite_legale),
    )


def _type_voie(text: str | None) -> str | None:
    return _TYPES_VOIE.get(text, text).upper() if text else None


def _lines(sent: wire.Adresse, unite: wire.UniteLegale) -> AcheminementPostal:
    is_person = _is_person(unite)
    repetition = _REPETITIONS.get(sent.repetition or "")
    return AcheminementPostal(
        l1="" if is_person else _denominations(unite),
        l2=_line(unite.nom, unite.prenom_1) if is_person else "",
        l3=sent.complement or "",
        l4=_line(sent.numero, repetition, _type_voie(sent.type_voie), sent.voie).upper(),
        l5=sent.distribution or "",
        l6=_town(sent),
        l7=sent.pays or "FRANCE",
    )


def _is_person(unite: wire.UniteLegale) -> bool:
    """Here a blank category passes for a legal person's."""
    return unite.categorie_juridique == PERSONNE_PHYSIQUE


def _denominations(unite: wire.UniteLegale) -> str:
    different = dict.fromkeys(name for name in (unite.denomination, unite.denomination_usuelle) if name)
    return " ".join(" ".join(different).split())


def _town(sent: wire.Adresse) -> str | None:
    if sent.code_cedex:
        return _line(sent.code_cedex, sent.cedex)
    if sent.code_pays:
        return sent.commune_etranger
    return _line(sent.code_postal, sent.commune)


def _line(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def mask(shown: Adresse, etablissement: wire.Etablissement) -> Adresse:
    """What open data may show of an address: its town, unless the establishment may be shown whole.

    Its second line is the name of a natural person, who may be protected where the establishment is not.
    """
    lines = shown.acheminement_postal
    if shown.status_diffusion != "diffusible":
        hidden = _masked(("l1", "l2", "l3", "l4", "l5", "l6"))
        return shown.model_copy(
            update={**_masked(_PERSONAL), "acheminement_postal": lines.model_copy(update=hidden)},
        )
    unite = etablissement.unite_legale
    if _is_person(unite) and diffusion(unite.statut) != "diffusible":
        return shown.model_copy(update={"acheminement_postal": lines.model_copy(update=_masked(("l2",)))})
    return shown


_PERSONAL = (
    "complement_adresse",
    "numero_voie",
    "indice_repetition_voie",
    "type_voie",
    "libelle_voie",
    "code_postal",
    "distribution_speciale",
    "code_cedex",
    "libelle_cedex",
)


def _masked(names: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(names, MASKED)


def normalise(sent: wire.EtablissementSent, call: Call) -> AdresseResponse:
    """All that Sirene says."""
    etablissement = sent.etablissement
    return AdresseResponse(
        data=adresse(etablissement),
        links=LiensAdresse(
            unite_legale=f"{call.base}/v3/insee/sirene/unites_legales/{etablissement.siren}",
            etablissement=f"{call.base}/v3/insee/sirene/etablissements/{etablissement.siret}",
        ),
        meta=MetaAdresse(date_derniere_mise_a_jour=epoch(etablissement.traitement)),
    )


def normalise_diffusible(sent: wire.EtablissementSent, call: Call) -> AdresseResponse:
    """What open data may show."""
    check_may_be_shown(sent.etablissement.statut, NOT_FOUND)
    answer = normalise(sent, call)
    return answer.model_copy(update={"data": mask(answer.data, sent.etablissement)})


# The rules.

adresses_v3 = Endpoint(
    operation_id="api_entreprise_v3_insee_adresses_etablissements",
    path="/v3/insee/sirene/etablissements/{siret}/adresse",
    title="Adresse d'un établissement",
    description=(
        "Adresse d'un établissement inscrit au répertoire Sirene, données protégées des établissements en diffusion "
        "partielle comprises."
    ),
    tag="Informations générales",
    scopes=frozenset({"etablissements", "unites_legales_etablissements_insee"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=SIRENE,
    request=ask_etablissement,
    follow=follow_siret,
    wire=wire.EtablissementSent,
    failures=(SIRET_IS_CONFIDENTIAL, *FAILURES),
    normalise=normalise,
    legal_block=True,
)

adresses_diffusables_v3 = adresses_v3.but(
    operation_id="api_entreprise_v3_insee_adresses_etablissements_diffusables",
    path="/v3/insee/sirene/etablissements/diffusibles/{siret}/adresse",
    title="Adresse d'un établissement en données ouvertes",
    description=(
        "Adresse d'un établissement inscrit au répertoire Sirene ; il n'en reste que la commune si l'établissement a "
        "choisi la diffusion partielle."
    ),
    scopes=frozenset({"etablissements", "open_data"}),
    normalise=normalise_diffusible,
)
