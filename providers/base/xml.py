"""XML from outside: read without entities, DTD or network, within bounds.

A reply is read by `Reply.xml()`. Its element is then searched (`element.findtext("a/b")`), or turned into plain members
for a wire model (`members`).
"""

from typing import Any

from lxml import etree

Element = etree._Element

LARGEST = 10 * 1024 * 1024
DEEPEST = 100
"""Levels of elements. The answers of providers have about ten."""

_TOO_DEEP = etree.XPath(f"boolean({'/*' * (DEEPEST + 1)})")


class NotXml(Exception):
    """A content that is not XML, or that is not safe to read."""


def parse(content: bytes) -> Element:
    """The root element. Raises NotXml."""
    if len(content) > LARGEST:
        raise NotXml("too large")
    # A parser holds what it read last: one for each document.
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise NotXml(f"not well formed at line {error.lineno}") from None
    except ValueError as error:
        raise NotXml(str(error)) from None
    _check(root)
    return root


def _check(root: Element) -> None:
    declared = root.getroottree().docinfo.internalDTD
    # A bare document type does no harm; what it declares might.
    if declared is not None and (declared.entities() or declared.elements()):
        raise NotXml("declarations are not read")
    if _TOO_DEEP(root):
        raise NotXml("too deep")


def local_name(tag: str) -> str:
    """The name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]


def members(element: Element) -> Any:
    """An element as plain values, in the manner of JSON.

    An element of text is that text, spaces kept; an empty or blank one is None; one with elements is a dict of them by
    local name, in which a repeated element is a list. Attributes are members whose names begin with `@`; the text
    beside attributes is `#text`.
    """
    found: dict[str, Any] = {f"@{local_name(str(name))}": value for name, value in element.attrib.items()}
    for child in element.iterchildren(tag=etree.Element):
        name, value = local_name(str(child.tag)), members(child)
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    if len(element):
        return found
    text = element.text if element.text and element.text.strip() else None
    if not found:
        return text
    return found if text is None else {**found, "#text": text}
