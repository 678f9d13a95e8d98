"""The kinds of failures of providers: one table, whose codes follow the provider's two digits (behaviours §4.3).

`Failure.NOT_FOUND.when(status=404)` is a rule: an endpoint lists its rules, the first that matches wins.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from providers.base.exchange import Reply

PERIMETER = "Vérifiez que votre recherche entre dans le périmètre de cette API."


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table: the last three digits, the HTTP status, and what the caller reads.

    `retry_in` is in seconds. `names_provider` puts the provider's name into the error's meta. `nobodys`: the failure is
    not to be laid at a provider's door, and its code begins with the gateway's digits. `of_entity`: it speaks of the
    entity asked about, and not of the provider's health.
    """

    code: str
    status: int
    title: str
    detail: str
    retry_in: int | None = None
    names_provider: bool = True
    tracked: bool = False
    cacheable: bool = False
    nobodys: bool = False
    of_entity: bool = False

    def when(
        self,
        matches: Callable[[Reply], bool] | None = None,
        *,
        status: int | tuple[int, ...] = (),
        detail: str | None = None,
        meta: Callable[[Reply], Mapping[str, Any]] | None = None,
        cacheable: bool = False,
    ) -> "Rule":
        """A rule: this failure, where the status is one of those, or where the predicate holds."""
        statuses = (status,) if isinstance(status, int) else status
        kind = replace(self, detail=detail or self.detail, cacheable=cacheable or self.cacheable)
        return Rule(kind, frozenset(statuses), matches, meta)

    def because(self, detail: str | None = None, **meta: Any) -> "ProviderFailed":
        """The exception to raise where a mapping, and no rule, finds the failure."""
        return ProviderFailed(replace(self, detail=detail or self.detail), meta)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an endpoint's `failures`."""

    kind: Kind
    statuses: frozenset[int]
    matches: Callable[[Reply], bool] | None
    meta: Callable[[Reply], Mapping[str, Any]] | None

    def may_hold(self, status: int) -> bool:
        """Whether it may find a failure in a reply of that status."""
        return status in self.statuses or self.matches is not None

    def judge(self, reply: Reply) -> "ProviderFailed | None":
        """The failure, where this rule finds one."""
        if reply.status in self.statuses or (self.matches is not None and self.matches(reply)):
            return ProviderFailed(self.kind, dict(self.meta(reply)) if self.meta else {})
        return None


@dataclass(eq=False)
class ProviderFailed(Exception):
    """A provider did not give the data. Rendered by the gateway as code `XXYYY`; `meta` is told to the caller."""

    kind: Kind
    meta: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """The code's last digits and the reason, for logs."""
        return f"{self.kind.code} {self.kind.title}"


class Failure:
    """The common kinds. A provider's own (≥ 500) stand in its folder."""

    INTERNAL = Kind(
        "000",
        502,
        "Erreur interne du fournisseur",
        "Le fournisseur de données a rencontré une erreur qui lui est propre. Renouvelez votre appel plus tard.",
    )
    UNAVAILABLE = Kind(
        "001",
        502,
        "Fournisseur indisponible",
        "Le service du fournisseur de données ne peut pas être joint. Renouvelez votre appel plus tard.",
    )
    TIMEOUT = Kind(
        "002",
        504,
        "Fournisseur trop lent",
        "Le fournisseur de données n'a pas répondu dans le temps imparti. Renouvelez votre appel plus tard.",
    )
    NOT_FOUND = Kind(
        "003",
        404,
        "Entité non trouvée",
        f"Aucune information n'est connue pour cet identifiant, ou il n'existe pas. {PERIMETER}",
    )
    DNS = Kind(
        "004",
        502,
        "Fournisseur introuvable",
        "L'adresse du fournisseur de données n'a pas pu être résolue. Renouvelez votre appel plus tard.",
    )
    LEGAL = Kind(
        "005",
        451,
        "Indisponible pour raisons légales",
        "Cette entité ne peut être communiquée à aucun organisme.",
    )
    AUTHENTICATION = Kind(
        "006",
        502,
        "Accès refusé par le fournisseur",
        "L'accès de la passerelle à ce fournisseur n'est pas configuré, ou n'est plus accepté.",
        tracked=True,
    )
    RATE_LIMITED = Kind(
        "008",
        502,
        "Fournisseur saturé",
        "Le fournisseur de données limite les appels de la passerelle. Renouvelez votre appel plus tard.",
    )
    CERTIFICATE = Kind(
        "009",
        502,
        "Certificat du fournisseur invalide",
        "Le certificat TLS présenté par le fournisseur de données n'est pas valide.",
        tracked=True,
    )
    TEMPORARY = Kind(
        "011",
        502,
        "Erreur temporaire du fournisseur",
        "Le fournisseur de données a rencontré une erreur passagère. Renouvelez votre appel dans quelques instants.",
    )
    MAINTENANCE = Kind(
        "020",
        503,
        "Maintenance du fournisseur",
        "Le fournisseur de données est en maintenance. Renouvelez votre appel après la fin de celle-ci.",
    )
    FILE_ENCODING = Kind(
        "051",
        502,
        "Document du fournisseur non valide",
        "Le document transmis par le fournisseur de données n'est pas du base64 lisible.",
        names_provider=False,
    )
    FILE_TIMEOUT = Kind(
        "052",
        502,
        "Document du fournisseur trop long à obtenir",
        "Le document n'a pas été transmis par le fournisseur de données dans le temps imparti.",
        names_provider=False,
    )
    FILE_HTTP = Kind(
        "053",
        502,
        "Document du fournisseur inaccessible",
        "Le fournisseur de données n'a pas donné le document auquel il renvoie. Renouvelez votre appel plus tard.",
        names_provider=False,
    )
    FILE_URL = Kind(
        "054",
        502,
        "Adresse du document non valide",
        "Le fournisseur de données renvoie à un document par une adresse que la passerelle ne suit pas.",
        names_provider=False,
        tracked=True,
    )
    FILE_TYPE = Kind(
        "055",
        502,
        "Document du fournisseur non valide",
        "Le document transmis par le fournisseur de données n'est pas du type attendu.",
        names_provider=False,
    )
    FILE_EMPTY = Kind(
        "056",
        502,
        "Document du fournisseur non valide",
        "Le document transmis par le fournisseur de données est vide.",
        names_provider=False,
    )
    UNKNOWN = Kind(
        "999",
        502,
        "Réponse inconnue du fournisseur",
        "La réponse du fournisseur de données n'a pas pu être lue. L'exploitant de la passerelle en est averti.",
        tracked=True,
    )


COMMON_KINDS = tuple(kind for kind in vars(Failure).values() if isinstance(kind, Kind))
REDIRECTS = (301, 302, 303, 307, 308)


COMMON = (
    Failure.UNAVAILABLE.when(status=(502, 503)),
    Failure.TIMEOUT.when(status=504),
    Failure.INTERNAL.when(status=REDIRECTS),
    Failure.UNKNOWN.when(status=tuple({*range(1000)} - {*HTTPStatus})),
)
"""Judged before an endpoint's own rules, unless it sets others (behaviours §4.6). A status that HTTP does not know says
nothing that could be relied on."""
