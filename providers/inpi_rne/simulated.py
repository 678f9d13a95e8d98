"""The national register of companies, simulated: companies as deep trees, what they filed, and its PDFs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from starlette.responses import Response

from config.clock import PARIS
from providers.simulator import pdf
from providers.simulator.accounts import last_exercices
from providers.simulator.company import Address, Company, Diffusion, Establishment, Kind, Officer, Person, Shareholder
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply
from providers.simulator.world import World

Json = dict[str, Any]

TOKEN_SECONDS = 86400
CONTROL_PERCENT = 25
"""Share of the capital or votes from which somebody is held to control a company."""
FOREVER_YEARS = 99


def login(call: Incoming) -> Response:
    """`/api/sso/login`: any account is let in, if it tells its name and password."""
    told = call.json
    if not isinstance(told, dict) or not told.get("username") or not told.get("password"):
        return unauthorised(call)
    token = call.tokens.issue(TOKEN_SECONDS, userType="FO", connectionType="API", expiresIn=TOKEN_SECONDS)
    return json_reply({"token": token, "user": {"id": 1, "roles": ["ROLE_API"], "active": True}})


def unauthorised(_: Incoming) -> Response:
    """What a missing, wrong or expired token gets."""
    return json_reply({"code": "401", "errorCode": "unauthorized", "message": "Identifiants invalides."}, 401)


def not_found() -> Response:
    """What is said of the unknown."""
    return json_reply({"code": "404", "errorCode": "404", "type": "notFound"}, 404)


def entered(world: World, siren: str) -> Company | None:
    """A company that is in the register; associations and public bodies are not."""
    company = world.company(siren)
    return company if company and company.is_trading else None


def company(call: Incoming) -> Response:
    """`/api/companies/{siren}`."""
    found = entered(call.world, call.arguments["siren"])
    return json_reply(_company(found, call.world)) if found else not_found()


# What was filed.


@dataclass(frozen=True)
class Filed:
    """A document. Its identifier tells whose it is, so that it can be found again."""

    id: str
    kind: str
    title: str
    on: date
    closing: date | None = None


def attachments(call: Incoming) -> Response:
    """`/api/companies/{siren}/attachments`."""
    found = entered(call.world, call.arguments["siren"])
    if found is None:
        return not_found()
    filed = list(_filed(found, call.today))
    actes = [_acte(found, one) for one in filed if one.kind == "actes"]
    bilans = [_bilan(found, one) for one in filed if one.kind == "bilans"]
    return json_reply({"actes": actes} | ({"bilans": bilans} if bilans else {}))


def download(call: Incoming) -> Response:
    """`/api/actes/{id}/download` and its twin."""
    found = entered(call.world, call.arguments["id"][:9])
    filed = _filed(found, call.today) if found else ()
    document = next((one for one in filed if one.id == call.arguments["id"] and f"/{one.kind}/" in call.path), None)
    if found is None or document is None:
        return not_found()
    return _pdf(found, document.title, document.on)


def export(call: Incoming) -> Response:
    """`/export/companies` of data.inpi.fr: the extract of one company."""
    try:
        (siren,) = orjson.loads(call.parameters.get("ids", ""))
    except ValueError:
        return not_found()
    found = entered(call.world, str(siren))
    return _pdf(found, "Attestation d'immatriculation", call.today) if found else not_found()


def _pdf(company: Company, title: str, on: date) -> Response:
    lines = [
        "Registre simulé des entreprises - document fictif, sans valeur",
        title,
        f"Dénomination : {company.name}",
        f"Siren : {company.siren}",
        f"Date : {on:%d/%m/%Y}",
    ]
    name = f'attachment; filename="{company.siren}.pdf"'
    return Response(pdf.write([lines]), 200, {"content-disposition": name}, "application/pdf")


def _filed(company: Company, today: date) -> Iterator[Filed]:
    yield Filed(_id(company, "a", 0), "actes", "Statuts constitutifs", company.created)
    if company.former:
        yield Filed(_id(company, "a", 1), "actes", "Statuts mis à jour", company.former.until)
    for exercice in last_exercices(company, today):
        on = exercice.fin + timedelta(days=115)
        yield Filed(_id(company, "b", exercice.fin.year), "bilans", "Comptes annuels", on, exercice.fin)


def _id(company: Company, kind: str, number: int) -> str:
    return f"{company.siren}{kind}{number:04d}" + Dice(f"inpi/{company.siren}").letters(
        f"{kind}{number}", 10, "0123456789abcdef"
    )


def _acte(company: Company, filed: Filed) -> Json:
    decisions = [] if filed.title == "Statuts constitutifs" else [_renaming()]
    told = _document(company, filed) | {"numChrono": filed.id[-5:], "nomDocument": f"{filed.id}_C0022A1001L"}
    return told | {"typeRdd": [*decisions, {"typeActe": filed.title}]}


def _renaming() -> Json:
    return {"typeActe": "Décision(s) des associés", "decision": "Changement de la dénomination sociale "}


def _bilan(company: Company, filed: Filed) -> Json:
    closing = filed.closing or filed.on
    return _document(company, filed) | {
        "nomDocument": f"CA_{company.siren}_{company.greffe[0]}_FICTIF_{closing.year}_D",
        "numNat": f"FICTIF{filed.id[-8:]}",
        "dateCloture": closing.isoformat(),
        "typeBilan": "C" if company.base_turnover >= 1_000_000 else "S",
        "version": "2.0",
    }


def _document(company: Company, filed: Filed) -> Json:
    updated = datetime.combine(filed.on + timedelta(days=9), datetime.min.time().replace(hour=4), PARIS)
    return {
        "id": filed.id,
        "siren": company.siren,
        "denomination": company.name,
        "dateDepot": filed.on.isoformat(),
        "updatedAt": updated.isoformat(),
        "confidentiality": "Public",
        "deleted": False,
    }


# The company.


def _company(company: Company, world: World) -> Json:
    is_person = company.kind is Kind.ENTREPRENEUR
    content = {
        "succursaleOuFiliale": "AVEC_ETABLISSEMENT",
        "formeExerciceActivitePrincipale": _nature(company),
        "natureCreation": {
            "dateCreation": company.created.isoformat(),
            "formeJuridique": company.categorie_juridique,
            "societeEtrangere": False,
            "microEntreprise": False,
        },
        ("personnePhysique" if is_person else "personneMorale"): _personne(company, world),
        "registreAnterieur": {"raa": {}, "rnm": {}, "rncs": {}},
    }
    return {
        "updatedAt": company.updated.isoformat(),
        "id": Dice(f"inpi/{company.siren}").letters("id", 24, "0123456789abcdef"),
        "siren": company.siren,
        "formality": {
            "siren": company.siren,
            "content": content,
            "diffusionINSEE": company.diffusion.value,
            "diffusionCommerciale": company.diffusion is Diffusion.OUVERTE,
            "typePersonne": "P" if is_person else "M",
            "formeJuridique": company.categorie_juridique,
        },
    }


def _nature(company: Company) -> str:
    if "cma_rnm" in company.dossiers:
        return "ARTISANALE"
    if company.activity.naf.startswith("01."):
        return "AGRICOLE"
    return "LIBERALE_NON_REGLEMENTEE" if company.kind is Kind.ENTREPRENEUR else "COMMERCIALE"


def _personne(company: Company, world: World) -> Json:
    siege = company.siege
    told: Json = {
        "adresseEntreprise": {"adresse": _adresse(siege.adresse)},
        "etablissementPrincipal": _etablissement(company, siege),
        "autresEtablissements": [
            _etablissement(company, place) for place in company.etablissements if place is not siege
        ],
        "identite": _identite(company),
    }
    if company.kind is Kind.ENTREPRENEUR:
        return told
    return told | {
        "composition": {"pouvoirs": [_pouvoir(company, officer) for officer in company.dirigeants]},
        "beneficiairesEffectifs": list(_beneficiaires(company, world)),
        "observations": {"rcs": _observations(company)},
    }


def _adresse(adresse: Address) -> Json:
    told = {
        "pays": adresse.libelle_pays or "FRANCE",
        "codePays": adresse.code_pays or "FRA",
        "codePostal": adresse.code_postal,
        "commune": adresse.libelle_commune or adresse.commune_etrangere,
        "codeInseeCommune": adresse.code_commune,
        "typeVoie": adresse.type_voie,
        "voie": adresse.libelle_voie,
        "numVoie": adresse.numero_voie,
        "complementLocalisation": adresse.complement,
    }
    return {name: value for name, value in told.items() if value is not None}


def _etablissement(company: Company, place: Establishment) -> Json:
    description: Json = {
        "siret": place.siret,
        "indicateurEtablissementPrincipal": place.is_siege,
        "statutPourFormalite": "6" if place.closed else "4",
        "codeApe": place.activity.naf.replace(".", ""),
        "etablissementRdd": True,
    }
    if place.closed:
        description["dateEffetFermeture"] = place.closed.isoformat()
    activity: Json = {
        "indicateurPrincipal": True,
        "dateDebut": place.opened.isoformat(),
        "formeExercice": _nature(company),
        "descriptionDetaillee": place.activity.word.capitalize(),
        "codeApe": place.activity.naf.replace(".", ""),
        "origine": {"typeOrigine": "1" if place.is_siege else "2"},
    }
    if "cma_rnm" in company.dossiers:
        activity["codeAprm"] = place.activity.naf.replace(".", "") + "A"
    return {
        "descriptionEtablissement": description,
        "adresse": _adresse(place.adresse),
        "activites": [activity],
    }


def _identite(company: Company) -> Json:
    entreprise: Json = {
        "siren": company.siren,
        "formeJuridique": company.categorie_juridique,
        "nicSiege": company.siege.nic,
        "codeApe": company.activity.naf.replace(".", ""),
        "dateImmat": company.created.isoformat(),
        "dateDebutActiv": company.created.isoformat(),
    }
    if company.person:
        return {"entreprise": entreprise, "entrepreneur": _personne_physique(company.person)}
    ends = company.created.replace(year=company.created.year + FOREVER_YEARS) - timedelta(days=1)
    closing = date(2024, company.closing_month % 12 + 1, 1) - timedelta(days=1)
    description: Json = {
        "objet": f"{company.activity.word.capitalize()} (objet fictif)",
        "duree": FOREVER_YEARS,
        "dateClotureExerciceSocial": f"{closing:%d%m}",
        "datePremiereCloture": date(company.created.year + 1, closing.month, 28).isoformat(),
        "montantCapital": float(company.capital),
        "deviseCapital": "EUR",
        "indicateurAssocieUnique": len(company.actionnaires) == 1,
        "dateFinExistence": ends.isoformat(),
    }
    if company.ceased:
        description["dateDissolutionDisparition"] = company.ceased.isoformat()
    return {"entreprise": entreprise | {"denomination": company.name}, "description": description}


def _personne_physique(person: Person) -> Json:
    description = {"nom": person.nom, "prenoms": list(person.prenoms), "dateDeNaissance": f"{person.naissance:%Y-%m}"}
    if person.nom_usage:
        description["nomUsage"] = person.nom_usage
    home = {name: value for name, value in _adresse(person.adresse).items() if not name.endswith("oie")}
    return {"descriptionPersonne": description, "adresseDomicile": home}


def _pouvoir(company: Company, officer: Officer) -> Json:
    told: Json = {"roleEntreprise": officer.role, "actif": company.ceased is None}
    if officer.person:
        return told | {"typeDePersonne": "INDIVIDU", "individu": _personne_physique(officer.person)}
    entreprise = {"denomination": officer.denomination, "siren": officer.siren}
    return told | {"typeDePersonne": "ENTREPRISE", "entreprise": entreprise}


def _observations(company: Company) -> list[Json]:
    found = [(company.created, "Immatriculation de la société (mention fictive)")]
    if company.former:
        found.append((company.former.until, f"Ancienne dénomination : {company.former.name} (mention fictive)"))
    if company.ceased:
        found.append((company.ceased, "Cessation totale d'activité (mention fictive)"))
    return [
        {"numObservation": f"{on.year}A{place:06d}", "dateAjout": on.isoformat(), "texte": text, "etatObs": "Ajout"}
        for place, (on, text) in enumerate(found, start=1)
    ]


# Those who control it.


def _beneficiaires(company: Company, world: World) -> Iterator[Json]:
    """Owners of a quarter, directly or through a company; whoever represents the company where there is none."""
    found = [(owner.person, float(owner.percent), 0.0) for owner in company.actionnaires if owner.person]
    for owner in company.actionnaires:
        parent = world.company(owner.siren) if owner.siren else None
        above = parent.actionnaires if parent else ()
        found += [(one.person, 0.0, _through(owner, one)) for one in above if one.person]
    holders = [one for one in found if one[1] + one[2] >= CONTROL_PERCENT]
    if not holders:
        holders = [(officer.person, 0.0, 0.0) for officer in company.dirigeants if officer.person][:1]
    for place, (person, direct, indirect) in enumerate(holders):
        told: Json = {"actif": True, "beneficiaireId": _uuid(company, place), "beneficiaire": _controller(person)}
        if place == 0 or not Dice(company.siren).chance(f"modalite/{place}", 10):
            told["modalite"] = _modalite(direct, indirect)
        yield told


def _through(owner: Shareholder, above: Shareholder) -> float:
    return owner.percent * above.percent / 100


def _controller(person: Person) -> Json:
    told = _personne_physique(person)
    described = told["descriptionPersonne"] | {"nationalite": "Française", "codeNationalite": "FRA"}
    return {"descriptionPersonne": described, "adresseDomicile": {"pays": told["adresseDomicile"]["pays"]}}


def _uuid(company: Company, place: int) -> str:
    digits = Dice(f"inpi/{company.siren}").letters(f"beneficiaire/{place}", 32, "0123456789abcdef")
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


NOUGHT = (
    "partsDirectesNuePropriete",
    "partsIndirectesIndivision",
    "partsIndirectesIndivisionPleinePropriete",
    "partsIndirectesIndivisionNuePropriete",
    "partsIndirectesPmoralesNuePropriete",
    "vocationTitulaireDirectePleinePropriete",
    "vocationTitulaireDirecteNuePropriete",
    "vocationTitulaireIndirecteIndivision",
    "vocationTitulaireIndirectePleinePropriete",
    "vocationTitulaireIndirecteNuePropriete",
    "vocationTitulaireIndirectePersonnesMorales",
    "vocationTitulaireIndirectePmoralesPleinePropriete",
    "vocationTitulaireIndirectePmoralesNuePropriete",
    "voteDirecteNuePropriete",
    "voteDirecteUsufruit",
    "voteIndirecteIndivision",
    "voteIndirecteIndivisionPleinePropriete",
    "voteIndirecteIndivisionNuePropriete",
    "voteIndirecteIndivisionUsufruit",
    "voteIndirectePmoralesNuePropriete",
    "voteIndirectePmoralesUsufruit",
)
"""Rights that nobody has in this world."""


def _modalite(direct: float, indirect: float) -> Json:
    represents = direct + indirect == 0
    return {
        **dict.fromkeys(NOUGHT, 0.0),
        "detentionPartDirecte": direct > 0,
        "partsDirectesPleinePropriete": direct,
        "detentionPartIndirecte": indirect > 0,
        "partsIndirectesPersonnesMorales": indirect,
        "partsIndirectesPmoralesPleinePropriete": indirect,
        "detentionPartTotale": direct + indirect,
        "detentionVoteDirecte": direct > 0,
        "voteDirectePleinePropriete": direct,
        "detentionVoteIndirecte": indirect > 0,
        "voteIndirectePersonnesMorales": indirect,
        "voteIndirectePmoralesPleinePropriete": indirect,
        "detentionVoteTotal": direct + indirect,
        "detentionPouvoirDecisionAG": direct + indirect > 50,
        "detentionPouvoirNommageMembresConseilAdmin": False,
        "detentionAutresMoyensControle": False,
        "beneficiaireRepresentantLegal": represents,
        "representantLegalPlacementSansGestionDelegue": False,
        "modalitesDeControle": ["5" if represents else "1"],
    }


def owner_of(call: Incoming) -> str:
    """Whose document is asked for."""
    return call.arguments["id"][:9]


ROUTES = (
    Simulated(method="POST", path="/api/sso/login", handler=login, may_fail=False),
    Simulated(method="GET", path="/api/companies/{siren}", handler=company, unauthorised=unauthorised),
    Simulated(method="GET", path="/api/companies/{siren}/attachments", handler=attachments, unauthorised=unauthorised),
    Simulated(
        method="GET",
        path="/api/actes/{id}/download",
        handler=download,
        unauthorised=unauthorised,
        subject=owner_of,
    ),
    Simulated(
        method="GET",
        path="/api/bilans/{id}/download",
        handler=download,
        unauthorised=unauthorised,
        subject=owner_of,
    ),
    Simulated(method="GET", path="/export/companies", handler=export, unauthorised=unauthorised),
)
