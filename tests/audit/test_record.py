"""The record and its line."""

from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.ids import Ids
from audit.record import Lines, Record, members
from tests.audit.builders import NOW, a_record

A_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIwIn0.c2lnbmF0dXJl"

texts = st.text(max_size=300)
hostile = st.one_of(
    texts,
    st.text(st.characters(codec=None, categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=50),
    st.just(f"avant {A_TOKEN} après"),
    st.just("\\u0000"),
    st.just('"},{"x":"\r\n'),
)


@given(agent=hostile, context=hostile, object_=hostile, recipient=hostile, path=hostile, request_id=hostile)
def test_any_text_gives_one_line_that_can_be_read_again(
    agent: str, context: str, object_: str, recipient: str, path: str, request_id: str
) -> None:
    record = a_record(
        user_agent=agent, context=context, object=object_, recipient=recipient, path=path, request_id=request_id
    )

    line = record.to_line()

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert not any(byte < 32 for byte in line[:-1])
    assert b"eyJ" not in line
    again = Record.from_line(line)
    assert again.to_line() == line
    assert not any("\0" in value for value in asdict(again).values() if isinstance(value, str))


@given(agent=hostile, context=hostile, path=hostile, siret=st.sampled_from([None, "99988877100015"]), siren=hostile)
def test_a_line_put_together_from_members_says_what_the_record_s_own_does(
    agent: str, context: str, path: str, siret: str | None, siren: str
) -> None:
    record = a_record(user_agent=agent, context=context, path=path, siret=siret, siren=siren if siret is None else None)
    told = {field.name: getattr(record, field.name) for field in fields(record)}
    parts = [
        members(**{name: told[name] for name in names.split()})
        for names in (
            "method path operation_id siren siret rna provider api_version",
            "context object recipient",
            "jti habilitation holder_siret client_ip user_agent",
        )
    ]
    lines = Lines()

    answer = lines.of_answer(record.status, record.codes, record.outcome, record.cached)
    line = lines(record.at, record.request_id.encode(), record.duration_ms, *parts, answer)

    ours, its_own = orjson.loads(line), orjson.loads(record.to_line())
    assert line.endswith(b"}\n")
    assert {**ours, "id": record.id} == its_own


@given(
    context=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=255).filter(
        lambda t: "eyJ" not in t
    )
)
def test_a_text_that_fits_is_kept_as_it_is(context: str) -> None:
    record = a_record(context=context)

    again = Record.from_line(record.to_line())

    assert again == record


@settings(max_examples=40)
@given(
    extra=st.dictionaries(hostile, hostile | st.integers() | st.none() | st.binary() | st.lists(hostile), max_size=3)
)
def test_whatever_an_act_of_administration_holds_is_recorded(extra: dict[str, Any]) -> None:
    line = a_record(extra=extra).to_line()

    assert len(orjson.loads(line)["extra"]) <= len(extra)


def test_long_texts_are_cut() -> None:
    record = a_record(user_agent="a" * 5000, context="c" * 5000, object="o" * 100_000, path="/" + "p" * 20_000)

    again = Record.from_line(record.to_line())

    assert (len(again.user_agent), len(again.context or ""), len(again.object or "")) == (200, 255, 255)
    assert len(again.path) == 1000


def test_the_query_is_removed_from_the_path() -> None:
    record = a_record(path="/v3/insee/x?token=secret&context=c")

    again = Record.from_line(record.to_line())

    assert again.path == "/v3/insee/x"


@pytest.mark.parametrize("field", ["path", "user_agent", "context", "object", "recipient", "request_id"])
def test_a_token_is_struck_out_wherever_it_was_pasted(field: str) -> None:
    line = a_record(**{field: f"x {A_TOKEN}"}).to_line()

    assert b"eyJ" not in line
    assert b"c2lnbmF0dXJl" not in line
    assert b"[token]" in line


def test_a_siret_is_found_by_its_siren() -> None:
    record = a_record(siren=None, siret="99988877100023")

    again = Record.from_line(record.to_line())

    assert again.siren == "999888771"


def test_identifiers_sort_by_time_and_are_uuids_of_version_7() -> None:
    ids = Ids()

    made = [ids(NOW + second) for second in range(500)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {UUID(one).version for one in made} == {7}
