"""What a habilitation or a token must satisfy to enter the registry; every problem is told, not the first."""

import calendar
import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gateway.registry.state import read_network
from providers.base.parameters import siret_is_valid

LIFETIME_MONTHS: Final = 18
"""Life of a token, at most and unless told otherwise."""

OPERATOR_SCOPES: Final = frozenset({"admin:read", "admin:write"})
STATUSES: Final = ("active", "closed")

_TOKEN = re.compile(r"eyJ[\w-]+\.")
"""How a JWT begins."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field, and what to do about it, as its author reads it."""

    field: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.field} : {self.reason} {self.remedy}"


class Unacceptable(Exception):
    """What was asked cannot enter the registry."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems apart, so that a caller may show each beside its field."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a habilitation grants, to whom, and within which limits."""

    siret: str
    intitule: str
    scopes: tuple[str, ...]
    contacts: tuple[Mapping[str, str], ...] = ()
    """Applicant, business and technical contacts: `role`, `name`, `email`."""
    allowed_ips: tuple[str, ...] = ()
    """Addresses and CIDRs; none: from anywhere."""
    rate_limit_per_minute: int | None = None
    status: str = "active"
    """`closed` revokes its tokens."""


def check_terms(terms: Terms, known_scopes: Collection[str] | None = None) -> None:
    """Raises Unacceptable; scopes are compared with the known ones where these are handed over."""
    problems = [*_of_identity(terms), *_of_scopes(terms.scopes, known_scopes), *_of_limits(terms)]
    if problems:
        raise Unacceptable(problems)


def check_text(name: str, text: str | None) -> None:
    """Raises Unacceptable for a text that holds a token: none is kept."""
    if text is not None and (problem := _of_text(name, text)) is not None:
        raise Unacceptable([problem])


def check_operator(operator: str, scopes: Collection[str]) -> None:
    """Raises Unacceptable."""
    problems = []
    if not operator.strip():
        problems.append(Problem("operator", "Le nom de l'opérateur est vide.", "Dites qui se servira du jeton."))
    if (problem := _of_text("operator", operator)) is not None:
        problems.append(problem)
    if not scopes:
        problems.append(_scope_problem("Aucun droit n'est donné.", OPERATOR_SCOPES))
    problems += [
        _scope_problem(f"« {scope} » n'est pas un droit d'opérateur.", OPERATOR_SCOPES)
        for scope in scopes
        if scope not in OPERATOR_SCOPES
    ]
    if problems:
        raise Unacceptable(problems)


def check_expiry(expires_at: datetime | None, now: datetime, *, may_be_past: bool = False) -> datetime:
    """The end of a token's life, by default the latest there may be; raises Unacceptable."""
    latest = months_later(now, LIFETIME_MONTHS)
    if expires_at is None:
        return latest
    check_zone("expires_at", expires_at)
    if expires_at <= now and not may_be_past:
        raise Unacceptable([Problem("expires_at", "La date d'expiration est passée.", "Donnez une date à venir.")])
    if expires_at > latest:
        day = latest.date().isoformat()
        reason = f"Un jeton vit {LIFETIME_MONTHS} mois au plus."
        raise Unacceptable([Problem("expires_at", reason, f"Donnez une date antérieure ou égale au {day}.")])
    return expires_at


def check_zone(name: str, moment: datetime) -> None:
    """Raises Unacceptable for a moment that says nothing of its zone."""
    if moment.tzinfo is None:
        reason = "La date ne dit pas son fuseau horaire."
        raise Unacceptable([Problem(name, reason, "Ajoutez-le, par exemple 2027-01-31T18:00:00+01:00.")])


def months_later(moment: datetime, months: int) -> datetime:
    """The same day of a later month, or its last day."""
    years, month = divmod(moment.month - 1 + months, 12)
    last = calendar.monthrange(moment.year + years, month + 1)[1]
    return moment.replace(year=moment.year + years, month=month + 1, day=min(moment.day, last))


def from_epoch(seconds: float) -> datetime:
    """A moment of the clock, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _of_identity(terms: Terms) -> Iterable[Problem]:
    if not siret_is_valid(terms.siret):
        reason = f"« {terms.siret} » n'est pas un SIRET."
        yield Problem("siret", reason, "Donnez les 14 chiffres de l'établissement habilité, sans espace.")
    if not terms.intitule.strip():
        yield Problem("intitule", "L'intitulé est vide.", "Dites en quelques mots à quoi sert l'habilitation.")
    elif (problem := _of_text("intitule", terms.intitule)) is not None:
        yield problem
    if not all(isinstance(contact, Mapping) and _is_text(contact) for contact in terms.contacts):
        yield Problem("contacts", "Un contact n'est pas lisible.", "Donnez pour chacun role, name et email en texte.")
    elif (problem := _of_text("contacts", str(terms.contacts))) is not None:
        yield problem
    if terms.status not in STATUSES:
        yield Problem("status", f"« {terms.status} » n'est pas un statut.", "Choisissez active ou closed.")


def _of_text(name: str, text: str) -> Problem | None:
    if _TOKEN.search(text) is None:
        return None
    return Problem(name, "Ce texte contient un jeton, qui ne se conserve pas.", "Désignez le jeton par son jti.")


def _of_scopes(scopes: Collection[str], known: Collection[str] | None) -> Iterable[Problem]:
    for scope in scopes:
        if scope.startswith("admin:"):
            reason = f"« {scope} » est un droit d'opérateur, qu'une habilitation ne donne pas."
            yield Problem("scopes", reason, "Créez un jeton d'opérateur avec `octroi operator issue`.")
        elif known is not None and scope not in known:
            yield _scope_problem(f"Le droit « {scope} » n'existe pas.", known, scope)
        elif not scope.strip():
            yield Problem("scopes", "Un droit est vide.", "Retirez-le de la liste.")


def _of_limits(terms: Terms) -> Iterable[Problem]:
    for text in terms.allowed_ips:
        if read_network(text) is None:
            reason = f"« {text} » n'est ni une adresse ni un réseau."
            yield Problem("allowed_ips", reason, "Écrivez par exemple 192.0.2.7, 192.0.2.0/24 ou 2001:db8::/48.")
    limit = terms.rate_limit_per_minute
    if limit is not None and not 0 < limit < 2**31:
        reason = f"{limit} appels par minute n'est pas une limite."
        yield Problem("rate_limit_per_minute", reason, "Donnez un entier positif, ou rien.")


def _scope_problem(reason: str, known: Collection[str], scope: str = "") -> Problem:
    close = difflib.get_close_matches(scope, list(known), n=1)
    if close:
        return Problem("scopes", reason, f"Le plus proche est « {close[0]} ».")
    return Problem("scopes", reason, f"Choisissez parmi : {', '.join(sorted(known))}.")


def _is_text(contact: Mapping[Any, Any]) -> bool:
    return all(isinstance(part, str) for pair in contact.items() for part in pair)
