"""The models an adapter writes: what a provider sends (`Wire`), and what the contract promises (`Contract`)."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Generic

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.config import JsonDict
from typing_extensions import TypeVar


class Wire(BaseModel):
    """What a provider sends: unknown fields are ignored, texts are coerced, names are ours with the wire's as alias."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, coerce_numbers_to_str=True)


class Contract(BaseModel):
    """What the contract promises: nothing more, nothing less. A field has no default, so that it is never left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Empty(Contract):
    """Links or meta of a resource that has none."""


EMPTY = Empty()

CONTRACT_DATE: JsonDict = {"x-contract-type": "date"}
"""For a field whose official type, `date`, is none of JSON Schema: ours is a text, and the mark tells what it says."""


def named_in_contract(name: str) -> JsonDict:
    """For a field that the official service answers under another name than its contract's; ours is the service's."""
    return {"x-contract-name": name}


def is_none(value: object) -> bool:
    """For `exclude_if`: a member that the contract promises and that is left out where nothing is known."""
    return value is None


D = TypeVar("D", bound=Contract)
L = TypeVar("L", bound=Contract)
M = TypeVar("M", bound=Contract)
N = TypeVar("N", bound=Contract, default=Empty)


class Single(Contract, Generic[D, L, M]):
    """The official envelope of one resource (behaviours §3.1), such as `Single[Adresse, Liens, Meta]`."""

    data: D
    links: L
    meta: M


class Collection(Contract, Generic[D, L, M, N]):
    """The official envelope of a list: each item is an envelope too.

    `L`: links of an item; `M`: meta of the list; `N`: meta of an item, which has none unless told.
    """

    data: list[Single[D, L, N]]
    meta: M
    links: Empty


Answer = Single[Any, Any, Any] | Collection[Any, Any, Any, Any]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [] if value is None else [value]


T = TypeVar("T")
OneOrMany = Annotated[list[T], BeforeValidator(_listed)]
"""A list that the provider writes as a bare object when it has one item, and as null when it has none."""


def blank_to_none(value: Any) -> Any:
    """For `BeforeValidator`: an empty or blank text means that nothing is known."""
    return None if isinstance(value, str) and not value.strip() else value


def first_characters(count: int) -> Callable[[Any], Any]:
    """For `BeforeValidator`: keeps the first characters of a text, such as the calendar date of a date-time."""
    return lambda value: value[:count] if isinstance(value, str) else value


def calendar_day(value: Any) -> date | None:
    """For `BeforeValidator`: the date at the head of a text, whatever its hour; None where there is none."""
    try:
        return date.fromisoformat(value.strip()[:10])
    except (AttributeError, ValueError):
        return None
