"""A call once its parameters are read: what an adapter may know of the question."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from config.clock import PARIS


@dataclass(frozen=True, kw_only=True)
class Call:
    """Who is asked about, why and for whom.

    `values` are the read parameters by name. `user_id` is the caller's uid, `request_id` a UUID, `today` the date in
    Paris, `base` the public address of the gateway for absolute links (without a final slash). `provider_base` is the
    address of the provider as the operator set it, and `at` the moment, once it is about to be asked. `document` is
    the link to the kept document, and `table` the provider's table, where the endpoint has one. `redirected_from` holds
    the identifiers asked before a provider pointed to others.
    """

    values: Mapping[str, Any]
    context: str
    object: str
    recipient: str
    user_id: str
    request_id: str
    today: date
    base: str
    provider_base: str = ""
    at: datetime | None = None
    document: str | None = None
    table: Any = None
    redirected_from: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter; None where an optional one was not given."""
        return self.values.get(name)

    @property
    def siren(self) -> str:
        """The SIREN asked; the first nine digits of the SIRET where that was asked."""
        return str(self.values["siren"] if "siren" in self.values else self.values["siret"][:9])

    @property
    def siret(self) -> str:
        """The SIRET asked."""
        return str(self.values["siret"])

    @property
    def moment(self) -> datetime:
        """The moment at which the provider is asked, in Paris time."""
        return self.at if self.at is not None else datetime.combine(self.today, time(), PARIS)

    def leaving(self, provider_base: str, at: datetime) -> "Call":
        """The same question, about to be asked at that address."""
        return self.but(provider_base=provider_base, at=at)

    def asking(self, **values: Any) -> "Call":
        """The same question about another identifier, remembering the first."""
        return self.but(values={**self.values, **values}, redirected_from=self.values)

    def with_document(self, link: str | None) -> "Call":
        """The same question, with the link to the document that was kept."""
        return self.but(document=link)

    def with_table(self, table: Any) -> "Call":
        """The same question, with the table that completes the answer."""
        return self.but(table=table)

    def but(self, **changes: Any) -> "Call":
        """The same question, with other values of some fields."""
        # As `dataclasses.replace`, which would set the fourteen fields of a frozen value one by one, at every miss.
        other = object.__new__(Call)
        vars(other).update(vars(self), **changes)
        return other
