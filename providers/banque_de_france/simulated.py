"""Banque de France's balance sheets, simulated: a gzipped JSON of texts, and codes of its own where it has none."""

import gzip
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from config.clock import paris
from providers.simulator.accounts import exercice_of, last_exercices
from providers.simulator.company import Company, Exercice
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated

LEAST_TURNOVER = 750_000
"""Euros under which a company is not asked for its accounts."""

SPELLINGS = {
    "totalDettesStables": "evolutionTotaltotalDettesStables",
    "dettes3EmruntsEtDettesAupresDesEtablissementsdeCredit": (
        "evolutionDettes3EmpruntsEtDettesAupresDesEtablissementsdeCredit"
    ),
}
"""Names of evolutions that do not follow from those of their amounts."""


def bilans(call: Incoming) -> Response:
    """`/bilans/{siren}`."""
    siren = call.arguments["siren"]
    company = call.world.company(siren)
    exercices = last_exercices(company, call.today) if company else ()
    told: dict[str, Any] = {"siren": siren, "denominationSociale": company.name if company else None}
    if company is None or not exercices or company.base_turnover < LEAST_TURNOVER:
        told |= {"code-retour": 204, "message": "Pas de donnees"}
    else:
        told |= {"code-retour": 200, "message": "Service Web OK"}
    rows = [_bilan(company, exercice) for exercice in exercices] if company and told["code-retour"] == 200 else None
    told |= {"date": f"{paris(call.clock):%d/%m/%Y %H:%M:%S}", "monnaie": "kEuros", "bilans": rows}
    packed = gzip.compress(orjson.dumps(told), mtime=0)
    return Response(packed, 200, {"content-encoding": "gzip"}, "application/json;charset=utf-8")


def _bilan(company: Company, exercice: Exercice) -> dict[str, str]:
    amounts = _amounts(company, exercice)
    previous = exercice_of(company, exercice.fin.year - 1)
    before = _amounts(company, previous) if previous else {}
    told = {"dateArrete": f"{exercice.fin:%Y%m}", "dureeExercice": str(round(exercice.days / 30.4))}
    for name, value in amounts.items():
        told[name] = str(value)
        told[SPELLINGS.get(name) or f"evolution{name[0].upper()}{name[1:]}"] = _evolution(value, before.get(name))
    now, then = _ratio(amounts), _ratio(before)
    told["frng/bfr"] = "-" if now is None else f"{now:.2f}%"
    told["evolutionFrng/Bfr"] = "" if now is None or not then else f"{100 * (now - then) / abs(then):+.2f}%"
    return told


def _amounts(company: Company, exercice: Exercice) -> dict[str, int]:
    """The accounts in thousands of euros, as those of the tax returns tell them."""
    dice = Dice(f"banque_de_france/{company.siren}/{exercice.fin.year}")
    turnover, debts = exercice.chiffre_affaires // 1000, exercice.dettes // 1000
    added = turnover * dice.between("added", 30, 70) // 100
    ebe = added - exercice.salaires // 1000
    stable = debts * dice.between("stable", 20, 60) // 100
    bank, bonds = stable * dice.between("bank", 70, 100) // 100, stable * dice.between("bonds", 0, 5) // 100
    provisions = debts * dice.between("provisions", 0, 6) // 100
    equity = exercice.capitaux_propres // 1000
    return {
        "caHT": turnover,
        "valeurAjouteeBdf": added,
        "ebe": ebe,
        "caf": exercice.resultat // 1000 + max(ebe, 0) * dice.between("depreciation", 5, 30) // 100,
        "resultatExercice": exercice.resultat // 1000,
        "capitauxPropresEtAssimiles": equity,
        "dontCapitalSocial": exercice.capital // 1000,
        "dontAutresFondsPropres": 0,
        "totalProvisionsPourRisquesEtCharges": provisions,
        "dettes1EmpruntsObligatairesEtConvertibles": 0,
        "dettes2AutresEmpruntsObligataires": bonds,
        "dettes3EmruntsEtDettesAupresDesEtablissementsdeCredit": bank,
        "dettes4DontAUnAnAuPlus": bank * dice.between("short", 5, 40) // 100,
        "totalDettesStables": stable,
        "empruntsEtDettesFinancieresDivers": max(stable - bank - bonds, 0),
        "groupesEtAssocies": debts * dice.between("group", 0, 8) // 100 if company.actionnaires else 0,
        "frng": (equity + stable) * dice.between("frng", 5, 45) // 100,
        "besoinEnFondsDeRoulement": turnover * dice.between("bfr", -8, 20) // 100,
        "disponibilites": exercice.total // 5000,
        "totalPassif": exercice.total // 1000,
    }


def _evolution(now: int, then: int | None) -> str:
    return "" if not then else f"{100 * (now - then) / abs(then):+.2f}%"


def _ratio(amounts: Mapping[str, int]) -> float | None:
    """In per cent; none where the need is not a need."""
    need = amounts.get("besoinEnFondsDeRoulement", 0)
    return 100 * amounts["frng"] / need if need > 0 else None


ROUTES = (Simulated(method="GET", path="/bilans/{siren}", handler=bilans),)
