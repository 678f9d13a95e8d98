"""INSEE's Sirene API, simulated: legal units, establishments, head offices, successions, redirected duplicates."""

import re
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from providers.simulator.company import Address, Company, Establishment, tranche
from providers.simulator.identifiers import siret_of
from providers.simulator.routes import Incoming, Simulated, json_reply, oauth_token
from providers.simulator.world import World

BASE = "/api-sirene/prive/3.11"
TOKEN_SECONDS = 7 * 24 * 3600
HEADCOUNT_YEAR = "2023"
NOMENCLATURE = "NAFRev2"

SIEGE_QUERY = re.compile(r"etablissementSiege:true AND siren:(\d{9})")
SUCCESSION_QUERY = re.compile(r"siretEtablissementSuccesseur:(\d{14}) OR siretEtablissementPredecesseur:(\d{14})")


def unite_legale(call: Incoming) -> Response:
    """`/siren/{siren}`."""
    siren = call.arguments["siren"]
    if siren in call.world.duplicates:
        target = call.world.duplicates[siren]
        return _redirect(call, f"entreprises/sirene/V3.11/siren/{target}", f"Doublon de l'unité légale {target}")
    company = call.world.company(siren)
    if company is None:
        return _said(404, f"Le siren {siren} ne figure pas au répertoire")
    return json_reply({"header": _header(), "uniteLegale": _unite_legale(company, call.world)})


def etablissement(call: Incoming) -> Response:
    """`/siret/{siret}`."""
    siret = call.arguments["siret"]
    if siret[:9] in call.world.duplicates:
        target = call.world.duplicates[siret[:9]]
        survivor = call.world.company(target)
        siege = survivor.siege.siret if survivor else siret_of(target, siret[9:13])
        return _redirect(call, f"entreprises/sirene/ws/siret/{siege}", f"Doublon, voir le siège de {target}")
    company, place = call.world.company(siret[:9]), call.world.establishment(siret)
    if company is None or place is None:
        return _said(404, f"Le siret {siret} ne figure pas au répertoire")
    return json_reply({"header": _header(), "etablissement": _etablissement(company, place)})


def siege_social(call: Incoming) -> Response:
    """`/siret?q=etablissementSiege:true AND siren:…`."""
    asked = call.parameters.get("q", "")
    found = SIEGE_QUERY.fullmatch(asked)
    if not found:
        return _said(400, f"Recherche illisible : q={asked}")
    company = call.world.company(found[1])
    if company is None:
        return _said(404, f"La recherche ne donne aucun établissement : q={asked}")
    places = [company.siege]
    if company.peculiarities.get("insee") == "two_head_offices":
        places = list(company.etablissements)
    rows = [_etablissement(company, place) | {"etablissementSiege": True} for place in places]
    return json_reply({"header": _header(len(rows)), "etablissements": rows})


def successions(call: Incoming) -> Response:
    """`/siret/liensSuccession?q=…`."""
    asked = call.parameters.get("q", "")
    found = SUCCESSION_QUERY.fullmatch(asked)
    if not found or found[1] != found[2]:
        return _said(400, f"Recherche illisible : q={asked}")
    links = [
        {
            "siretEtablissementPredecesseur": link.predecesseur,
            "siretEtablissementSuccesseur": link.successeur,
            "dateLienSuccession": link.on.isoformat(),
            "transfertSiege": link.transfert_siege,
            "continuiteEconomique": link.continuite_economique,
            "dateDernierTraitementLienSuccession": f"{link.on + timedelta(days=30)}T10:30:00.000",
        }
        for link in call.world.successions(found[1])
    ]
    if not links:
        return _said(404, f"Pas de succession pour q={asked}")
    return json_reply({"header": _header(len(links)), "liensSuccession": links})


def unauthorised(_: Incoming) -> Response:
    """What a missing, wrong or expired token gets."""
    return _said(401, "Le jeton d'accès manque, est faux ou a expiré")


def _header(total: int | None = None) -> dict[str, Any]:
    header: dict[str, Any] = {"statut": 200, "message": "OK"}
    return header if total is None else header | {"total": total, "debut": 0, "nombre": total}


def _said(status: int, message: str) -> Response:
    return json_reply({"header": {"statut": status, "message": message}}, status)


def _redirect(call: Incoming, path: str, message: str) -> Response:
    reply = _said(301, message)
    reply.headers["location"] = f"https://{call.host}/{path}"
    return reply


def _flag(value: bool) -> str:
    return "O" if value else "N"


def _effectifs(headcount: int, suffix: str) -> dict[str, Any]:
    return {
        f"trancheEffectifs{suffix}": tranche(headcount) if headcount else "NN",
        f"anneeEffectifs{suffix}": HEADCOUNT_YEAR if headcount else None,
    }


def _identity(company: Company) -> dict[str, Any]:
    """What both forms of a legal unit hold, whatever the period."""
    person = company.person
    prenoms = person.prenoms if person else ()
    return {
        "statutDiffusionUniteLegale": company.diffusion.value,
        "dateCreationUniteLegale": company.created.isoformat(),
        "sigleUniteLegale": company.sigle,
        "sexeUniteLegale": person.sexe if person else None,
        **{f"prenom{n + 1}UniteLegale": prenoms[n] if n < len(prenoms) else None for n in range(4)},
        "prenomUsuelUniteLegale": prenoms[0] if prenoms else None,
        "pseudonymeUniteLegale": person.pseudonyme if person else None,
        "identifiantAssociationUniteLegale": company.rna,
        **_effectifs(company.headcount, "UniteLegale"),
        "dateDernierTraitementUniteLegale": company.updated.isoformat(),
        "categorieEntreprise": company.categorie_entreprise,
        "anneeCategorieEntreprise": HEADCOUNT_YEAR if company.categorie_entreprise else None,
        "activitePrincipaleNAF25UniteLegale": company.activity.naf25,
    }


def _state(company: Company, nic_siege: str, name: str, *, is_ceased: bool) -> dict[str, Any]:
    """What may change from one period of a legal unit to the next."""
    person = company.person
    return {
        "etatAdministratifUniteLegale": "C" if is_ceased else "A",
        "nomUniteLegale": person.nom if person else None,
        "nomUsageUniteLegale": person.nom_usage if person else None,
        "denominationUniteLegale": None if person else name,
        "denominationUsuelle1UniteLegale": company.trade_name,
        "denominationUsuelle2UniteLegale": None,
        "denominationUsuelle3UniteLegale": None,
        "categorieJuridiqueUniteLegale": company.categorie_juridique,
        "activitePrincipaleUniteLegale": company.activity.naf,
        "nomenclatureActivitePrincipaleUniteLegale": NOMENCLATURE,
        "nicSiegeUniteLegale": nic_siege,
        "economieSocialeSolidaireUniteLegale": _flag(company.economie_sociale),
        "societeMissionUniteLegale": _flag(company.societe_mission),
        "caractereEmployeurUniteLegale": _flag(company.headcount > 0),
    }


CHANGES = (
    "EtatAdministratif",
    "Nom",
    "NomUsage",
    "Denomination",
    "DenominationUsuelle",
    "CategorieJuridique",
    "ActivitePrincipale",
    "NicSiege",
    "EconomieSocialeSolidaire",
    "SocieteMission",
    "CaractereEmployeur",
)


def _unite_legale(company: Company, world: World) -> dict[str, Any]:
    periods = _periods(company, world)
    return {
        "siren": company.siren,
        **_identity(company),
        "nombrePeriodesUniteLegale": len(periods),
        "periodesUniteLegale": periods,
    }


def _periods(company: Company, world: World) -> list[dict[str, Any]]:
    """The life of a legal unit, newest period first; a period begins where something changes."""
    moves = [link for place in company.etablissements for link in world.successions(place.siret)]
    move = next((link for link in moves if link.transfert_siege), None)
    starts: dict[date, set[str]] = {company.created: set()}
    if company.former:
        starts.setdefault(company.former.until + timedelta(days=1), set()).add("Denomination")
    if move:
        starts.setdefault(move.on, set()).add("NicSiege")
    if company.ceased:
        starts.setdefault(company.ceased, set()).add("EtatAdministratif")
    end: date | None = None
    periods = []
    for start in sorted(starts, reverse=True):
        name = company.former.name if company.former and start <= company.former.until else company.name
        nic = move.predecesseur[9:] if move and start < move.on else company.siege.nic
        periods.append(
            {
                "dateFin": end.isoformat() if end else None,
                "dateDebut": start.isoformat(),
                **_state(company, nic, name, is_ceased=company.ceased is not None and start >= company.ceased),
                **{f"changement{change}UniteLegale": change in starts[start] for change in CHANGES},
            }
        )
        end = start - timedelta(days=1)
    return periods


def _etablissement(company: Company, place: Establishment) -> dict[str, Any]:
    current = _state(company, company.siege.nic, company.name, is_ceased=company.ceased is not None)
    periods = _place_periods(place)
    return {
        "siren": place.siren,
        "nic": place.nic,
        "siret": place.siret,
        "statutDiffusionEtablissement": place.diffusion.value,
        "dateCreationEtablissement": place.opened.isoformat(),
        **_effectifs(place.headcount, "Etablissement"),
        "activitePrincipaleRegistreMetiersEtablissement": None,
        "dateDernierTraitementEtablissement": place.updated.isoformat(),
        "etablissementSiege": place.is_siege,
        "nombrePeriodesEtablissement": len(periods),
        "activitePrincipaleNAF25Etablissement": place.activity.naf25,
        "uniteLegale": {**_identity(company), **current},
        "adresseEtablissement": _adresse(place.adresse, ""),
        "adresse2Etablissement": _adresse(None, "2"),
        "periodesEtablissement": periods,
    }


def _place_periods(place: Establishment) -> list[dict[str, Any]]:
    spans: list[tuple[date, date | None, bool]] = [(place.opened, None, False)]
    if place.closed:
        spans = [(place.closed, None, True), (place.opened, place.closed - timedelta(days=1), False)]
    enseignes = (*place.enseignes, None, None, None)
    return [
        {
            "dateFin": end.isoformat() if end else None,
            "dateDebut": start.isoformat(),
            "etatAdministratifEtablissement": "F" if is_closed else "A",
            "changementEtatAdministratifEtablissement": is_closed,
            "enseigne1Etablissement": enseignes[0],
            "enseigne2Etablissement": enseignes[1],
            "enseigne3Etablissement": enseignes[2],
            "changementEnseigneEtablissement": False,
            "denominationUsuelleEtablissement": None,
            "changementDenominationUsuelleEtablissement": False,
            "activitePrincipaleEtablissement": place.activity.naf,
            "nomenclatureActivitePrincipaleEtablissement": NOMENCLATURE,
            "changementActivitePrincipaleEtablissement": False,
            "caractereEmployeurEtablissement": _flag(place.headcount > 0),
            "changementCaractereEmployeurEtablissement": False,
        }
        for start, end, is_closed in spans
    ]


def _adresse(adresse: Address | None, rank: str) -> dict[str, str | None]:
    """An address; the second one (`rank` 2) is always there and always empty."""
    fields = {
        "complementAdresse": "complement",
        "numeroVoie": "numero_voie",
        "indiceRepetition": "indice_repetition",
        "typeVoie": "type_voie",
        "libelleVoie": "libelle_voie",
        "codePostal": "code_postal",
        "libelleCommune": "libelle_commune",
        "libelleCommuneEtranger": "commune_etrangere",
        "distributionSpeciale": "distribution_speciale",
        "codeCommune": "code_commune",
        "codeCedex": "code_cedex",
        "libelleCedex": "libelle_cedex",
        "codePaysEtranger": "code_pays",
        "libellePaysEtranger": "libelle_pays",
    }
    return {f"{name}{rank}Etablissement": getattr(adresse, ours, None) for name, ours in fields.items()}


ROUTES = (
    Simulated(
        method="POST",
        path="/token",
        form={"grant_type": "password"},
        handler=oauth_token(TOKEN_SECONDS, scope="am_application_scope default"),
        may_fail=False,
    ),
    Simulated(method="GET", path=BASE + "/siren/{siren}", handler=unite_legale, unauthorised=unauthorised),
    Simulated(method="GET", path=BASE + "/siret/liensSuccession", handler=successions, unauthorised=unauthorised),
    Simulated(method="GET", path=BASE + "/siret/{siret}", handler=etablissement, unauthorised=unauthorised),
    Simulated(method="GET", path=BASE + "/siret", handler=siege_social, unauthorised=unauthorised),
)
