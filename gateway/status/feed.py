"""The board as an Atom feed (RFC 4287): the present state, incidents, and each maintenance now or to come."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree

from gateway.status import words
from gateway.status.board import DAYS_AHEAD, Board, Incident, Maintenance

ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry; `name` tells it from all others for ever."""

    name: str
    title: str
    updated: datetime
    text: str


def as_atom(board: Board, base: str) -> bytes:
    """The document."""
    page = f"{base}/status"
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    feed.set("{http://www.w3.org/XML/1998/namespace}lang", "fr")
    entries = [_state(board), *_incidents(board), *_maintenances(board)]
    _add(feed, "id", page)
    _add(feed, "title", "Octroi : état des fournisseurs")
    _add(feed, "updated", max(entry.updated for entry in entries).isoformat())
    _add(_add(feed, "author"), "name", "Octroi")
    _add(feed, "link", rel="self", type="application/atom+xml", href=f"{base}/status.atom")
    _add(feed, "link", rel="alternate", type="text/html", href=page)
    for entry in entries:
        node = _add(feed, "entry")
        _add(node, "id", f"{page}#{entry.name}")
        _add(node, "title", entry.title)
        _add(node, "updated", entry.updated.isoformat())
        _add(node, "link", rel="alternate", type="text/html", href=page)
        _add(node, "content", entry.text, type="text")
    return etree.tostring(feed, encoding="utf-8", xml_declaration=True)


def _add(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    node = etree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    node.text = text
    return node


def _state(board: Board) -> Entry:
    """One entry that changes with every hour, with a line for each provider."""
    lines = [words.summary(board), ""]
    for standing in board.standings:
        shares = [f"{words.percentage(standing.shares[name])} sur {told}" for name, told in words.SPANS.items()]
        lines.append(f"{standing.title} : {words.STATES[standing.state].lower()} ; {', '.join(shares)}.")
    if board.counted_until is None:
        lines += ["", words.UNAVAILABLE]
    at = (board.counted_until or board.at).replace(minute=0, second=0, microsecond=0)
    return Entry("etat", f"État des fournisseurs : {words.summary(board)}", at, "\n".join(lines))


def _incidents(board: Board) -> Iterator[Entry]:
    for one in board.incidents:
        yield Entry(f"incident-{one.slug}-{_stamp(one.start)}", *_of_incident(one))


def _of_incident(one: Incident) -> tuple[str, datetime, str]:
    answered = f"{words.percentage(one.share)} des appels ont eu une réponse."
    if one.end is None:
        return f"{one.title} : incident en cours", one.start, f"Depuis le {words.moment(one.start)}. {answered}"
    return f"{one.title} : incident terminé", one.end, f"{words.span(one.start, one.end).capitalize()}. {answered}"


def _maintenances(board: Board) -> Iterator[Entry]:
    """A daily one is announced once, a day before; the others as soon as they are in sight."""
    told: set[tuple[str, str]] = set()
    for one in board.maintenances:
        if one.is_daily and (one.slug, words.recurring(one)) in told:
            continue
        told.add((one.slug, words.recurring(one)))
        yield Entry(f"maintenance-{one.slug}-{_stamp(one.span.start)}", *_of_maintenance(one, board.at))


def _of_maintenance(one: Maintenance, now: datetime) -> tuple[str, datetime, str]:
    title = f"{one.title} : maintenance {'en cours' if one.is_current else 'annoncée'}"
    announced = one.span.start - timedelta(days=1 if one.is_daily else DAYS_AHEAD)
    text = f"{words.span(*one.span).capitalize()} : {one.title} ne répond pas."
    return title, min(one.span.start if one.is_current else announced, now), text


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M}"
