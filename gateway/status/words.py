"""The French words of the status: dates, percentages, states."""

from datetime import datetime

from gateway.status.board import Board, Maintenance, Share, State

STATES = {
    State.OPERATIONAL: "Opérationnel",
    State.DISTURBED: "Perturbé",
    State.DOWN: "Indisponible",
    State.MAINTENANCE: "En maintenance",
    State.UNKNOWN: "Sans appel récent",
}
SPANS = {"last_24_hours": "24 heures", "last_7_days": "7 jours", "last_90_days": "90 jours"}
HOW = (
    "Un fournisseur est jugé sur les appels réels : sa disponibilité est la part de ceux auxquels il n'a pas été "
    "répondu 502, 503 ou 504. Ne comptent ni les refus de la passerelle elle-même, ni les maintenances annoncées. Là "
    "où il y a trop peu d'appels, les sondes (« pings ») décident. Les comptes sont refaits toutes les cinq minutes."
)
UNAVAILABLE = "Les chiffres ne peuvent pas être lus pour l'instant ; les maintenances et les sondes restent à jour."

_MONTHS = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()  # noqa: SIM905
)


def moment(at: datetime) -> str:
    """« 24 novembre 2026 à 10 h 05 »."""
    return f"{day(at)} à {hour(at)}"


def day(at: datetime) -> str:
    """« 1er décembre 2026 »."""
    number = "1er" if at.day == 1 else str(at.day)
    return f"{number} {_MONTHS[at.month - 1]} {at.year}"


def hour(at: datetime) -> str:
    """« 10 h 05 »."""
    return f"{at.hour} h {at.minute:02}"


def span(start: datetime, end: datetime) -> str:
    """« le 24 novembre 2026 de 6 h 00 à 6 h 30 »."""
    if start.date() == end.date():
        return f"le {day(start)} de {hour(start)} à {hour(end)}"
    return f"du {moment(start)} au {moment(end)}"


def recurring(one: Maintenance) -> str:
    """When a maintenance is, told once for all its days if it is daily."""
    if one.is_daily:
        return f"chaque jour de {hour(one.span.start)} à {hour(one.span.end)}"
    return span(*one.span)


def percentage(share: Share) -> str:
    """« 99,87 % », never rounded up."""
    if share.availability is None:
        return "–"
    hundredths = int(share.availability * 10_000 + 1e-9)
    return f"{hundredths // 100},{hundredths % 100:02}\N{NO-BREAK SPACE}%"


def summary(board: Board) -> str:
    """The whole in a sentence."""
    troubled = [one.title for one in board.standings if one.state in (State.DISTURBED, State.DOWN)]
    if troubled:
        return f"{'Un fournisseur répond' if len(troubled) == 1 else 'Des fournisseurs répondent'} mal : " + (
            ", ".join(troubled) + "."
        )
    maintained = [one.title for one in board.standings if one.state is State.MAINTENANCE]
    if maintained:
        return f"Aucun incident ; en maintenance : {', '.join(maintained)}."
    return "Aucun incident connu."
