"""Extrait RNE: what the attestation of registration says of a company, and the link to its PDF."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from config.quotas import INPI_RNE
from providers.base import Cache, Call, Contract, Empty, Endpoint, Failure, Get, Reply, Single
from providers.inpi_rne import wire
from providers.inpi_rne.documents import link_to_extrait
from providers.inpi_rne.nomenclatures import label_ape, label_aprm, label_forme_juridique, label_role
from providers.inpi_rne.rne import COMPANIES, COMPANY_FAILURES, RNE, sent
from providers.inpi_rne.texts import calendar_date, day_and_month, text_or_none, upper

ENTREPRENEUR_INDIVIDUEL = "1000"
ORIGINES: dict[str | None, str] = {"2": "Achat", "3": "Apport", "4": "Donation"}
INDIVIDUS = frozenset({"INDIVIDU", "P"})


class FormeJuridique(Contract):
    """A legal form."""

    code: str | None = Field(title="Code de la forme juridique", examples=["5710"])
    libelle: str | None = Field(title="Libellé", examples=["SAS, société par actions simplifiée"])


class CodeAPE(Contract):
    """An activity."""

    code: str | None = Field(title="Code de l'activité", examples=["6201Z"])
    libelle: str | None = Field(title="Libellé", examples=["Programmation informatique"])


class CodeAPRM(Contract):
    """A craft."""

    code: str | None = Field(title="Code de l'activité artisanale, nul s'il n'y en a pas", examples=["4332AA"])
    libelle: str | None = Field(title="Libellé", examples=["Menuiserie du bâtiment"])


class CapitalSocial(Contract):
    """The capital."""

    montant: float | None = Field(title="Montant", examples=[50000.0])
    devise: str = Field(title="Devise", examples=["EUR"])


class Dissolution(Contract):
    """How a company ended."""

    date: str | None = Field(title="Date de la dissolution", examples=["2026-03-31"])
    poursuite_activite: bool | None = Field(title="Si l'activité se poursuit", examples=[False])
    avec_liquidation: bool | None = Field(title="Toujours nul : l'INPI ne le dit pas", examples=[None])


class Adresse(Contract):
    """An address."""

    voie: str = Field(title="Numéro, type et nom de la voie", examples=["42 RUE DE L'EXEMPLE"])
    code_postal: str | None = Field(title="Code postal", examples=["69003"])
    commune: str | None = Field(title="Commune", examples=["LYON"])
    pays: str = Field(title="Pays", examples=["FRANCE"])
    complement: str | None = Field(title="Complément d'adresse", examples=["Bâtiment B"])


class IdentiteEntreprise(Contract):
    """Who a company is."""

    siren: str | None = Field(title="SIREN", examples=["999500002"])
    denomination: str | None = Field(title="Dénomination, nulle pour un entrepreneur", examples=["EXEMPLE LOGICIEL"])
    nom: str | None = Field(title="Nom de l'entrepreneur, nul pour une société", examples=["EXEMPLE"])
    prenoms: list[str] | None = Field(title="Prénoms de l'entrepreneur", examples=[["CAMILLE", "ANDREA"]])
    forme_juridique: FormeJuridique = Field(title="Forme juridique")
    nature_entreprise: str | None = Field(
        title="Nature de l'activité principale",
        description="COMMERCIALE, ARTISANALE, AGRICOLE, LIBERALE et leurs variantes, telles que l'INPI les écrit.",
        examples=["COMMERCIALE"],
    )
    associe_unique: bool = Field(title="Si l'entreprise n'a qu'un associé", examples=[False])
    date_immatriculation_rne: str | None = Field(title="Date d'immatriculation", examples=["2018-03-15"])
    date_debut_activite: str | None = Field(
        title="Date de début d'activité",
        description="Pour un entrepreneur dont un établissement est fermé : celle du plus ancien qui soit ouvert.",
        examples=["2018-04-01"],
    )
    date_fin_personne: str | None = Field(title="Date à laquelle la société prend fin", examples=["2117-03-14"])
    date_cloture_exercice: str | None = Field(
        title="Mois et jour de clôture de l'exercice", description="S'écrit MM-JJ.", examples=["12-31"]
    )
    date_premiere_cloture_exercice: str | None = Field(
        title="Date de clôture du premier exercice", examples=["2018-12-31"]
    )
    detail_cessation: str | None = Field(title="Toujours nul : l'INPI ne le dit pas", examples=[None])
    dissolution: Dissolution = Field(title="Dissolution")
    capital_social: CapitalSocial = Field(title="Capital social")
    activite_principales_objet_social: str | None = Field(
        title="Objet social", description="À défaut, libellé de l'activité.", examples=["Édition de logiciels"]
    )
    code_APE: CodeAPE = Field(title="Activité principale (APE)")  # noqa: N815  the contract's spelling
    code_APRM: CodeAPRM = Field(title="Activité artisanale (APRM)")  # noqa: N815
    adresse_siege_social: Adresse | None = Field(title="Adresse du siège")


class Dirigeant(Contract):
    """A natural person who directs a company."""

    nom: str | None = Field(title="Nom", examples=["EXEMPLE"])
    prenom: str | None = Field(title="Premier prénom", examples=["CAMILLE"])
    date_naissance: str | None = Field(
        title="Année et mois de naissance", description="S'écrit AAAA-MM.", examples=["1985-07"]
    )
    qualite: str | None = Field(title="Qualité", examples=["Président de SAS"])
    commune_residence: str | None = Field(title="Commune de résidence", examples=["LYON"])


class Etablissement(Contract):
    """A place of business."""

    model_config = ConfigDict(extra="ignore")  # so that its schema leaves room for what the contract does not tell

    siret: str | None = Field(title="SIRET", examples=["99950000200012"])
    type_etablissement: Literal["Siège et principal", "Secondaire"] = Field(
        title="Type d'établissement", examples=["Siège et principal"]
    )
    statut: Literal["actif", "fermé"] = Field(title="Statut", examples=["actif"])
    date_debut_activite: str | None = Field(title="Date de début d'activité", examples=["2018-04-01"])
    code_APE: CodeAPE = Field(title="Activité (APE)")  # noqa: N815
    code_APRM: CodeAPRM = Field(title="Activité artisanale (APRM)")  # noqa: N815
    origine_fonds: SkipJsonSchema[str] = Field(title="Origine du fonds : Création, Achat, Apport ou Donation")
    nature_etablissement: str | None = Field(title="Nature de l'activité principale", examples=["COMMERCIALE"])
    activite_principale: str | None = Field(title="Activité principale", examples=["Édition de logiciels"])
    autre_activite: str | None = Field(
        title="Autres activités, séparées par des points-virgules", examples=["Conseil ; maintenance"]
    )
    adresse: Adresse = Field(title="Adresse")


class Observation(Contract):
    """A mention."""

    fournisseur: Literal["rcs", "rnm"] = Field(title="Registre d'origine : du commerce (rcs) ou des métiers (rnm)")
    numero: str | None = Field(title="Numéro, nul pour le registre des métiers", examples=["2026-03-31-001"])
    date: str | None = Field(title="Date", examples=["2026-03-31"])
    texte: str | None = Field(title="Texte", examples=["Augmentation du capital"])


class Extrait(Contract):
    """What the attestation says."""

    document_url: str = Field(
        title="Lien de téléchargement de l'attestation",
        description="Vaut une heure. Le suivre rend un lien vers le PDF, qui vaut un jour.",
        examples=["https://octroi.example/proxy/inpi/download/…"],
    )
    identite_entreprise: IdentiteEntreprise | Empty = Field(
        title="Identité de l'entreprise", description="Vide pour une exploitation agricole."
    )
    dirigeants_et_associes: list[Dirigeant] = Field(title="Personnes physiques qui dirigent ou engagent l'entreprise")
    etablissements: list[Etablissement] = Field(
        title="Établissements", description="L'établissement principal, s'il est ouvert, puis tous les autres."
    )
    diffusion_insee: bool = Field(title="Si l'INSEE diffuse l'entreprise", examples=[True])
    diffusion_commerciale: bool = Field(title="Si l'usage commercial des données est admis", examples=[True])
    etablissements_fermes_total: int = Field(title="Nombre d'établissements fermés", examples=[0])
    observations: list[Observation] = Field(title="Observations, de la plus récente à la plus ancienne")


ExtraitRne = Single[Extrait, Empty, Empty]


def normalise(sent: wire.Company, call: Call) -> ExtraitRne:
    """Of a farm, which the register keeps elsewhere, nothing is told but its diffusion."""
    formality, content, personne = sent.formality, sent.formality.content, sent.formality.content.personne
    data = Extrait(
        document_url=link_to_extrait(call.siren),
        identite_entreprise=_identite(sent, personne) if personne else Empty(),
        dirigeants_et_associes=_dirigeants(personne) if personne else [],
        etablissements=_etablissements(personne) if personne else [],
        diffusion_insee=formality.diffusion_insee == "O",
        diffusion_commerciale=formality.diffusion_commerciale,
        etablissements_fermes_total=sum(one.est_ferme for one in _all(personne)) if personne else 0,
        observations=_observations(content),
    )
    return ExtraitRne(data=data, links=Empty(), meta=Empty())


def _all(personne: wire.PersonneInscrite) -> list[wire.Etablissement]:
    return [*([personne.principal] if personne.principal else []), *personne.autres]


def _identite(sent: wire.Company, personne: wire.PersonneInscrite) -> IdentiteEntreprise:
    entreprise, description = personne.identite.entreprise, personne.identite.description
    entrepreneur, content = personne.identite.entrepreneur.description, sent.formality.content
    forme = entreprise.forme_juridique or content.creation.forme_juridique
    principale = personne.principal.activite_principale if personne.principal else wire.Activite()
    associe_unique = entreprise.associe_unique if entreprise.associe_unique is not None else description.associe_unique
    return IdentiteEntreprise(
        siren=sent.formality.siren or sent.siren,
        denomination=entreprise.denomination,
        nom=entrepreneur.nom,
        prenoms=entrepreneur.prenoms,
        forme_juridique=FormeJuridique(code=forme, libelle=label_forme_juridique(forme)),
        nature_entreprise=content.forme_exercice,
        associe_unique=bool(associe_unique),
        date_immatriculation_rne=calendar_date(entreprise.immatriculation or content.creation.creation),
        date_debut_activite=calendar_date(_debut(personne, forme)),
        date_fin_personne=calendar_date(description.fin),
        date_cloture_exercice=day_and_month(description.cloture),
        date_premiere_cloture_exercice=calendar_date(description.premiere_cloture),
        detail_cessation=None,
        dissolution=Dissolution(
            date=calendar_date(description.dissolution),
            poursuite_activite=description.poursuite_activite,
            avec_liquidation=None,
        ),
        capital_social=CapitalSocial(montant=description.montant_capital, devise=description.devise_capital),
        activite_principales_objet_social=text_or_none(description.objet) or label_ape(entreprise.code_ape),
        code_APE=CodeAPE(code=entreprise.code_ape, libelle=label_ape(entreprise.code_ape)),
        code_APRM=CodeAPRM(code=principale.code_aprm, libelle=label_aprm(principale.code_aprm)),
        adresse_siege_social=_adresse(personne.adresse.adresse) if personne.adresse.adresse else None,
    )


def _debut(personne: wire.PersonneInscrite, forme: str | None) -> str | None:
    """When it began. A sole trader who closed a place of business begins, for INPI, with the oldest still open."""
    told, places = personne.identite.entreprise.debut, _all(personne)
    if forme != ENTREPRENEUR_INDIVIDUEL or not told or not any(place.est_ferme for place in places):
        return told
    opened = [place for place in places if not place.est_ferme]
    dates = [place.description.debut for place in opened]
    dates += [activite.debut for place in opened for activite in place.activites]
    return min((date for date in dates if date), default=None)


def _adresse(sent: wire.Adresse) -> Adresse:
    return Adresse(
        voie=" ".join(part for part in (sent.numero, sent.type_voie, sent.voie) if part).upper(),
        code_postal=sent.code_postal,
        commune=upper(sent.commune),
        pays=sent.pays or "FRANCE",
        complement=sent.complement,
    )


def _etablissements(personne: wire.PersonneInscrite) -> list[Etablissement]:
    principal = personne.principal
    first = [_etablissement(principal, "Siège et principal")] if principal and not principal.est_ferme else []
    return first + [_etablissement(one, "Secondaire") for one in personne.autres]


def _etablissement(sent: wire.Etablissement, kind: Literal["Siège et principal", "Secondaire"]) -> Etablissement:
    description, principale = sent.description, sent.activite_principale
    others = [text_or_none(one.description) for one in sent.activites if not one.est_principale]
    return Etablissement(
        siret=description.siret,
        type_etablissement=kind,
        statut="fermé" if sent.est_ferme else "actif",
        date_debut_activite=calendar_date(description.effet or principale.debut),
        code_APE=CodeAPE(code=description.code_ape, libelle=label_ape(description.code_ape)),
        code_APRM=CodeAPRM(code=principale.code_aprm, libelle=label_aprm(principale.code_aprm)),
        origine_fonds=ORIGINES.get(principale.origine.type, "Création"),
        nature_etablissement=principale.forme_exercice,
        activite_principale=text_or_none(principale.description),
        autre_activite=" ; ".join(text for text in others if text) or None,
        adresse=_adresse(sent.adresse),
    )


def _dirigeants(personne: wire.PersonneInscrite) -> list[Dirigeant]:
    return [
        Dirigeant(
            nom=pouvoir.individu.description.nom,
            prenom=next(iter(pouvoir.individu.description.prenoms or ()), None),
            date_naissance=pouvoir.individu.description.naissance,
            qualite=_qualite(pouvoir.role),
            commune_residence=pouvoir.individu.domicile.commune,
        )
        for pouvoir in personne.composition.pouvoirs
        if pouvoir.actif and pouvoir.type_personne in INDIVIDUS and pouvoir.individu
    ]


def _qualite(role: wire.Role | str | None) -> str | None:
    if isinstance(role, wire.Role):
        return label_role(role.code or "") or role.denomination or role.code
    return (label_role(role) or role) if role else None


def _observations(content: wire.Content) -> list[Observation]:
    of_commerce = content.personne_morale.observations.rcs if content.personne_morale else []
    found = [
        Observation(fournisseur="rcs", numero=one.numero, date=calendar_date(one.ajout), texte=text_or_none(one.texte))
        for one in of_commerce
    ]
    found += [
        Observation(fournisseur="rnm", numero=None, date=calendar_date(one.effet), texte=text_or_none(one.texte))
        for one in content.inscriptions
    ]
    return sorted(found, key=lambda one: one.date or "", reverse=True)


def has_no_formality(reply: Reply) -> bool:
    """A description of something else."""
    body = sent(reply) if reply.status == 200 else None
    return reply.status == 200 and not (isinstance(body, dict) and isinstance(body.get("formality"), dict))


extrait_rne_v3 = Endpoint(
    operation_id="api_entreprise_v3_inpi_rne_extrait_rne",
    path="/v3/inpi/rne/unites_legales/{siren}/extrait_rne",
    title="Attestation d'immatriculation au registre national des entreprises",
    description="Ce que dit l'attestation d'immatriculation d'une entreprise au registre national des entreprises : "
    "identité, dirigeants, établissements, observations ; et le lien pour la télécharger.",
    tag="Informations générales",
    scopes=frozenset({"unites_legales_etablissements_insee"}),
    quota=INPI_RNE,
    cache=Cache.until_next_day(3),
    provider=RNE,
    request=lambda call: Get(f"{COMPANIES}/{call.siren}"),
    wire=lambda reply: wire.Company.model_validate(sent(reply)),
    failures=(*COMPANY_FAILURES, Failure.UNKNOWN.when(has_no_formality)),
    normalise=normalise,
    marks=True,
)
