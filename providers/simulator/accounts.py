"""Accounts of a company, year by year: they follow from its SIREN, and each part agrees with the others."""

from datetime import date, timedelta

from providers.simulator.company import Company, Exercice
from providers.simulator.dice import Dice

REFERENCE_YEAR = 2015
"""The year whose turnover is `base_turnover`."""
SHORTEST = timedelta(days=90)
"""A company created that near to its closing day waits for the next one."""
DELAY = timedelta(days=120)
"""Accounts are filed that long after they close."""


def exercice_of(company: Company, year: int) -> Exercice | None:
    """The accounts closed in that year; None where there are none."""
    if not company.is_trading:
        return None
    fin, previous = _closing(company, year), _closing(company, year - 1)
    if fin - company.created < SHORTEST or (company.ceased and fin > company.ceased):
        return None
    is_first = previous - company.created < SHORTEST
    start = company.created if is_first else previous + timedelta(days=1)
    days = (fin - start).days + 1
    dice = Dice(f"{company.siren}/{year}")
    trend = max(100 + 3 * (year - REFERENCE_YEAR), 20) + dice.between("growth", -10, 10)
    chiffre_affaires = company.base_turnover * trend * min(days, 365) // (100 * 365)
    resultat = chiffre_affaires * dice.between("margin", -6, 14) // 100
    return Exercice(
        fin=fin,
        days=days,
        chiffre_affaires=chiffre_affaires,
        resultat=resultat,
        salaires=chiffre_affaires * dice.between("wages", 15, 45) // 100,
        capital=company.capital,
        capitaux_propres=company.capital + chiffre_affaires * dice.between("reserves", 2, 30) // 100 + resultat,
        dettes=chiffre_affaires * dice.between("debts", 5, 60) // 100,
    )


def last_exercices(company: Company, today: date, count: int = 3) -> tuple[Exercice, ...]:
    """The last accounts filed, newest first."""
    found = (exercice_of(company, year) for year in range(today.year, today.year - 8, -1))
    return tuple(exercice for exercice in found if exercice and exercice.fin + DELAY <= today)[:count]


def _closing(company: Company, year: int) -> date:
    return date(year + company.closing_month // 12, company.closing_month % 12 + 1, 1) - timedelta(days=1)
