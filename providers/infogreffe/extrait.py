"""The extract that Infogreffe sends: where each thing stands in its tree, and what it says."""

from dataclasses import dataclass
from datetime import date, datetime, time

from config.clock import PARIS
from providers.base import Reply, Unreadable
from providers.base.xml import Element
from providers.infogreffe.produits import extract


def read(reply: Reply) -> "Extrait":
    """The extract of a reply that brings one."""
    element = extract(reply)
    if element is None:
        raise Unreadable("no extract")
    return Extrait(Node(element))


@dataclass(frozen=True)
class Node:
    """An element, or the absence of one, of which everything is empty."""

    element: Element | None

    def __bool__(self) -> bool:
        """Whether it is there."""
        return self.element is not None

    def find(self, path: str) -> "Node":
        """The first element at a path of names."""
        return Node(None if self.element is None else self.element.find(path))

    def all(self, path: str) -> list["Node"]:
        """All elements at a path of names."""
        return [] if self.element is None else [Node(one) for one in self.element.iterfind(path)]

    @property
    def text(self) -> str:
        """All the text of it."""
        return "" if self.element is None else "".join(str(part) for part in self.element.itertext())

    @property
    def words(self) -> str | None:
        """The text without the spaces around it; None where nothing is left."""
        return self.text.strip() or None

    def get(self, name: str) -> str | None:
        """An attribute."""
        return None if self.element is None else self.element.get(name)


@dataclass(frozen=True)
class Dirigeant:
    """Who directs a company: an element of the list, or the sole trader himself."""

    node: Node

    @property
    def est_physique(self) -> bool:
        """A natural person, said so or by default."""
        return self.node.get("type") in (None, "PP")

    @property
    def fonction(self) -> str | None:
        """What he does."""
        return self.node.find(".//qualite").words

    @property
    def naissance(self) -> Node:
        """Where he was born."""
        return self.node.find(".//naissance")

    @property
    def date_naissance(self) -> str | None:
        """When he was born."""
        return self.naissance.find("date").get("dateISO") or None

    @property
    def nationalite(self) -> Node:
        """The element that tells his nationality; of a sole trader, who is that element, none does."""
        return self.node.find("pp")


@dataclass(frozen=True)
class Extrait:
    """The whole."""

    node: Node

    @property
    def dossier(self) -> Node:
        """All but the addresses."""
        return self.node.find("dossier")

    @property
    def entreprise(self) -> Node:
        """The company."""
        return self.dossier.find("entreprise")

    @property
    def dirigeants(self) -> list[Dirigeant]:
        """Those who direct it; the sole trader, where nobody does."""
        found = self.node.all(".//liste_dirigeant//dirigeant")
        trader = self.entreprise.find("pp")
        return [Dirigeant(one) for one in found or ([trader] if trader else [])]

    @property
    def etablissements(self) -> list[Node]:
        """Its places of business."""
        return self.node.all(".//etablissement")

    @property
    def principal(self) -> Node:
        """Its main place of business."""
        return next((one for one in self.etablissements if one.get("type") == "1"), Node(None))

    def adresse(self, identifier: str | None) -> Node:
        """An address, by what it is referred to."""
        return next((one for one in self.node.all("adresse") if one.get("id") == identifier), Node(None))


def timestamp(day: str | None) -> int | None:
    """Midnight of that day in Paris, as Paris counted then, in seconds since 1970; None where it is no date."""
    try:
        midnight = datetime.combine(date.fromisoformat(day or ""), time(), PARIS)
    except ValueError:
        return None
    return int(midnight.timestamp())
