"""XML from outside: what is read, and what is not let in."""

import pytest

from providers.base import Reply, Unreadable
from providers.base.xml import DEEPEST, LARGEST, members


def a_reply(body: str | bytes) -> Reply:
    return Reply(200, {}, body.encode() if isinstance(body, str) else body)


def test_elements_become_members() -> None:
    reply = a_reply('<a x="1"><b> kept </b><c/><d> \n</d><e><f>1</f></e><e y="2">3</e><e z="4"/></a>')

    found = members(reply.xml())

    assert found == {
        "@x": "1",
        "b": " kept ",
        "c": None,
        "d": None,
        "e": [{"f": "1"}, {"@y": "2", "#text": "3"}, {"@z": "4"}],
    }


def test_namespaces_comments_and_instructions_are_left_out() -> None:
    reply = a_reply('<s:a xmlns:s="urn:x" s:k="1"><!-- no --><s:b>one<?no?></s:b></s:a>')

    assert members(reply.xml()) == {"@k": "1", "b": "one"}


def test_the_declared_encoding_is_honoured() -> None:
    reply = a_reply('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode("latin-1"))

    assert members(reply.xml()) == "é"


def test_a_reply_is_parsed_once() -> None:
    reply = a_reply("<a/>")

    assert reply.xml() is reply.xml()


def test_a_bare_document_type_is_harmless() -> None:
    assert a_reply('<!DOCTYPE html SYSTEM "http://127.0.0.1:9/absent.dtd"><html/>').is_xml


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Nonsense",
        '{"json": true}',
        "<a>",
        "<a>&nbsp;</a>",
        b"<a>\xe9</a>",
        '<?xml version="1.0" encoding="unheard-of"?><a/>',
        "<a>" * 200_000 + "</a>" * 200_000,
        "<a>" * (DEEPEST + 1) + "</a>" * (DEEPEST + 1),
        "<a>" + " " * LARGEST + "</a>",
    ],
    ids=["empty", "text", "json", "unclosed", "unknown entity", "bad bytes", "encoding", "abyss", "deep", "large"],
)
def test_what_is_not_xml_or_out_of_bounds_is_unreadable(body: str | bytes) -> None:
    reply = a_reply(body)

    with pytest.raises(Unreadable):
        reply.xml()
    assert not reply.is_xml


def test_as_deep_as_is_allowed_is_read() -> None:
    assert a_reply("<a>" * DEEPEST + "</a>" * DEEPEST).is_xml


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY e "text">',
        '<!ENTITY e SYSTEM "file:///etc/hostname">',
        '<!ENTITY % e SYSTEM "http://127.0.0.1:9/evil.dtd"> %e;',
        "<!ELEMENT a ANY>",
        '<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12)),
    ],
    ids=["internal", "file", "network", "element", "a billion laughs"],
)
def test_a_document_that_declares_something_is_refused(declared: str) -> None:
    reply = a_reply(f"<!DOCTYPE a [{declared}]><a/>")

    with pytest.raises(Unreadable):
        reply.xml()
