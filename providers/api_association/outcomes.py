"""What an answer of the service amounts to, before it is read: the tests of the failure rules."""

from providers.api_association.wire import integer
from providers.base import Failure, Reply, Rule

ASSOCIATIONS = frozenset({"9220", "9230", "9260"})
"""Legal categories of those that are associations for certain; a RNA number or the local law of the East proves it
too."""
EAST = "alsaceMoselle"

MAY_SAY_NOT_FOUND = frozenset({200, 404})
"""With another status, an answer without an association says nothing of whether there is one."""


def _asso(reply: Reply, path: str) -> str:
    """The text at a path of `asso`; "" where it is empty, or there is none."""
    root = reply.xml()
    return (root.findtext(path) or "").strip() if root.tag == "asso" else ""


def is_empty(reply: Reply) -> bool:
    """Nothing at all, which happens now and then."""
    return not reply.body.strip()


def is_not_xml(reply: Reply) -> bool:
    """Something else than XML."""
    return not reply.is_xml


def has_no_asso(reply: Reply) -> bool:
    """XML that is not the service's: a page of the gateway before it."""
    return bool(reply.xml().tag != "asso")


def says_not_found(reply: Reply) -> bool:
    """The service tells, with a 200, of the 404 that it got itself."""
    root = reply.xml()
    told = root.find("erreur") if root.tag == "asso" else None
    return told is not None and "with statusCode: 404" in "".join(map(str, told.itertext()))


def is_unidentified(reply: Reply) -> bool:
    """No association in the answer."""
    return reply.status in MAY_SAY_NOT_FOUND and not _asso(reply, "identite/id_correspondance")


def is_no_association(reply: Reply) -> bool:
    """A legal unit of another kind: the service knows some."""
    return (
        bool(_asso(reply, "identite/id_correspondance"))
        and not _asso(reply, "identite/id_rna")
        and _asso(reply, "identite/regime") != EAST
        and _asso(reply, "identite/id_forme_juridique") not in ASSOCIATIONS
    )


def document_count(reply: Reply) -> int:
    """How many documents the service announces."""
    return integer(_asso(reply, "documents/nbDocRna")) or 0


def has_no_document(reply: Reply) -> bool:
    """An association, or none, without documents in the register."""
    return reply.status in MAY_SAY_NOT_FOUND and document_count(reply) <= 0


def has_unnamed_documents(reply: Reply) -> bool:
    """Documents of nobody."""
    return not (_asso(reply, "identite/id_correspondance") or _asso(reply, "id_correspondance"))


UNREADABLE = (Failure.TEMPORARY.when(is_empty), Failure.UNKNOWN.when(is_not_xml))
"""First of all: the other rules look into the XML."""


def association_failures(detail: str) -> tuple[Rule, ...]:
    """The rules of an association, in their order; the status is looked at last. `detail` tells of a not found."""
    tests = (says_not_found, is_unidentified, is_no_association)
    return (*UNREADABLE, *(Failure.NOT_FOUND.when(test, detail=detail) for test in tests))


def document_failures(detail: str) -> tuple[Rule, ...]:
    """The rules of the documents of an association, in their order."""
    return (
        *UNREADABLE,
        Failure.UNAVAILABLE.when(has_no_asso),
        Failure.NOT_FOUND.when(says_not_found, detail=detail),
        Failure.NOT_FOUND.when(has_no_document, detail=detail),
        Failure.UNKNOWN.when(has_unnamed_documents),
    )
