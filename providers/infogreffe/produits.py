"""The connection to Infogreffe's products: one SOAP operation, whose body names the subscriber and what is ordered.

Of a company it sends an extract; of what it does not send, a text such as `006 -DOSSIER NON TROUVE-`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from providers.base import Call, Failure, Kind, Post, Provider, Reply, Request
from providers.base.access import Access
from providers.base.xml import Element

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
SCHEMA, INSTANCE = "http://www.w3.org/2001/XMLSchema", "http://www.w3.org/2001/XMLSchema-instance"
PRODUCTS = "urn:WebServicesProduits"
OPERATION = "getProduitsWebServicesXML"

ORDERED = {
    "type_profil": "A",
    "origine_emetteur": "IC",
    "nature_requete": "C",
    "type_document": "KB",
    "type_requete": "S",
    "media": "WS",
}
"""An extract (KB) of a company, as XML, at once."""


@dataclass(frozen=True)
class Subscription:
    """Lets in who tells a subscriber's code and password in the body of each call. Such a body is never logged."""

    settings: tuple[str, ...] = ("username", "password")

    async def headers(self, access: Access) -> Mapping[str, str]:
        """None is needed."""
        del access
        return {}

    def signed(self, request: Request, access: Access) -> Request:
        """The order, in an envelope that tells who gives it."""
        code, password = (access.secret(setting) for setting in self.settings)
        return request._replace(content=envelope(code, password, request.content or b""))

    async def renew(self, access: Access, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """A subscriber that is refused stays refused."""
        del access, refused
        return None


PRODUITS = Provider(
    slug="infogreffe",
    code="02",
    name="Infogreffe",
    base_url="https://infogreffe.example/WSContextInfogreffe/INFOGREFFE",
    authentication=Subscription(),
    headers=lambda call: {"content-type": "text/xml", "charset": "utf-8", "soapaction": OPERATION},
)


def order(call: Call) -> Request:
    """The extract of a company."""
    commande = etree.Element("commande")
    etree.SubElement(commande, "num_siren").text = call.siren
    return Post("", content=etree.tostring(commande))


def envelope(code: str, password: str, commande: bytes) -> bytes:
    """The SOAP envelope: what it holds is real elements, under an argument that calls itself a text."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soapenv": SOAP, "xsd": SCHEMA, "xsi": INSTANCE})
    etree.SubElement(root, f"{{{SOAP}}}Header")
    body = etree.SubElement(root, f"{{{SOAP}}}Body")
    operation = etree.SubElement(body, f"{{{PRODUCTS}}}{OPERATION}", nsmap={"urn": PRODUCTS})
    operation.set(f"{{{SOAP}}}encodingStyle", ENCODING)
    argument = etree.SubElement(operation, "arg0")
    argument.set(f"{{{INSTANCE}}}type", "xsd:string")
    demande = etree.SubElement(argument, "demande")
    emetteur = etree.SubElement(demande, "emetteur")
    etree.SubElement(emetteur, "code_abonne").text = code
    etree.SubElement(emetteur, "mot_passe").text = password
    asked = etree.SubElement(emetteur, "code_requete")
    for name, value in ORDERED.items():
        etree.SubElement(asked, name).text = value
    etree.SubElement(etree.SubElement(asked, "mode_diffusion"), "mode").set("type", "XL")
    demande.append(etree.fromstring(commande))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


# What is sent back.


def extract(reply: Reply) -> Element | None:
    """The extract, where the reply brings one: the first company it names then has its SIREN."""
    if reply.status != 200 or not reply.is_xml:
        return None
    found = reply.xml().find(".//Extrait")
    numbers = None if found is None else found.find(".//num_ident")
    return found if numbers is not None and numbers.get("siren") is not None else None


def refusal(reply: Reply) -> str:
    """The text that says why there is no extract; empty where there is one, or where nothing is said."""
    if not reply.is_xml or extract(reply) is not None:
        return ""
    places = reply.xml().xpath("//*[local-name()='return']")
    texts = [text for place in places for text in (place.text, *(child.tail for child in place)) if text is not None]
    told = texts[-1].strip() if texts else ""
    return told if re.match(r"\d\d", told, re.ASCII) else ""


def says(*codes: str) -> Callable[[Reply], bool]:
    """A predicate: the refusal has one of these codes."""
    return lambda reply: refusal(reply).startswith(codes)


def told(reply: Reply) -> Mapping[str, Any]:
    """The refusal, for the caller: `006 -DOSSIER NON TROUVE-` is a code and a message."""
    text = refusal(reply)
    return {"provider_error": {"code": text[:3], "message": text[5:-1]}}


IDENTIFICATION = Kind(
    "501",
    502,
    "Identification momentanément refusée par Infogreffe",
    "Infogreffe n'a pas reconnu la passerelle, ce qui lui arrive par moments. Renouvelez votre appel dans un instant.",
    retry_in=10,
)
NOT_ORDERED = Kind(
    "502",
    502,
    "Extrait non délivré par Infogreffe",
    "Infogreffe n'a pas pu établir l'extrait de cette entreprise, qui n'entre souvent pas dans son périmètre.",
)

FAILURES = (
    Failure.NOT_FOUND.when(
        says("006", "008", "065", "081"),
        detail="Infogreffe ne délivre pas d'extrait pour ce SIREN : l'entreprise n'existe pas, ou n'est pas inscrite "
        "au registre du commerce et des sociétés.",
        meta=told,
    ),
    IDENTIFICATION.when(says("003")),
    NOT_ORDERED.when(says("014")),
    Failure.UNAVAILABLE.when(says("999")),
    Failure.UNKNOWN.when(lambda reply: extract(reply) is None),
)
"""The status plays no part in them, but for those of the common layer."""
