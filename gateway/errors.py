"""The gateway's own refusals: one table, and the one renderer of errors (behaviours §3.2, §4.4).

Codes of providers are computed: the provider's two digits, then its failure's three (`providers.base.failures`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from providers.base import ProviderFailed
from providers.base.parameters import Format

JSON = b"application/json"
VENDOR_JSON = b"application/vnd.api+json"
TEXT = b"text/plain; charset=utf-8"

UNPROCESSABLE = "Paramètre non valide"
NOT_AN_ABSENCE = "Ce refus ne dit rien de l'existence de l'entité demandée."


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: code, HTTP status, what the caller reads, and what is to blame."""

    code: str
    status: int
    title: str
    detail: str
    source: Mapping[str, str] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


_TOKEN = {"parameter": "token"}


def _kept_by(trouble: str, status: int) -> str:
    return f"Le service qui conserve ce document {trouble} ({status}). Renouvelez votre appel plus tard."


class Refused(Enum):
    """The refusals of the gateway itself."""

    FILE_NOT_ALLOWED = Row(
        "00011",
        502,
        "Document momentanément inaccessible",
        "Le service qui conserve ce document n'admet pas qu'on le lise pour l'instant (405). Renouvelez votre appel.",
    )
    CONFLICT = Row(
        "00015",
        409,
        "Appel déjà en cours",
        "Un appel identique, fait avec le même jeton, est en cours. Attendez sa réponse avant de le renouveler. "
        + NOT_AN_ABSENCE,
    )
    UNAVAILABLE = Row(
        "00020",
        503,
        "Passerelle momentanément indisponible",
        "La passerelle ne peut pas vérifier ou tracer cet appel pour l'instant. Renouvelez-le dans quelques secondes.",
        meta={"retry_in": 5},
    )
    SCOPE = Row(
        "00100",
        403,
        "Droits insuffisants",
        "Votre jeton est valide mais ne donne pas accès à cette API. Ses droits sont listés par /privileges.",
        _TOKEN,
    )
    TOKEN = Row(
        "00101",
        401,
        "Jeton absent ou non valide",
        "Cet appel demande un jeton valide, transmis dans l'en-tête « Authorization: Bearer … ».",
        _TOKEN,
    )
    EXPIRED = Row(
        "00103",
        401,
        "Jeton expiré",
        "La date de fin de validité de votre jeton est passée. Demandez sa prolongation.",
        _TOKEN,
    )
    REVOKED = Row(
        "00105",
        401,
        "Jeton révoqué",
        "Votre jeton a été révoqué, sans doute parce qu'il a été divulgué. Demandez-en un autre.",
        _TOKEN,
    )
    LINK_TOKEN = Row(
        "00106",
        401,
        "Jeton du lien inconnu ou révoqué",
        "Le jeton pour lequel ce lien a été délivré n'existe plus ou a été révoqué. Refaites l'appel qui le donne.",
        _TOKEN,
    )
    ADDRESS = Row(
        "00107",
        403,
        "Adresse IP non autorisée",
        "Votre habilitation n'admet que certaines adresses IP, et celle de cet appel n'en est pas.",
        {"header": "X-Forwarded-For"},
    )
    CONTEXT = Row(
        "00201",
        422,
        UNPROCESSABLE,
        "Le paramètre context manque : indiquez le cadre de la requête.",
        {"parameter": "context"},
    )
    OBJECT = Row(
        "00202",
        422,
        UNPROCESSABLE,
        "Le paramètre object manque : indiquez la raison de l'appel ou l'identifiant de la procédure.",
        {"parameter": "object"},
    )
    RECIPIENT = Row(
        "00203",
        422,
        UNPROCESSABLE,
        "Le paramètre recipient manque : indiquez le SIRET de l'administration destinatrice des données.",
        {"parameter": "recipient"},
    )
    RECIPIENT_SIRET = Row(
        "00210",
        422,
        UNPROCESSABLE,
        "Le paramètre recipient doit être un SIRET : 14 chiffres qui satisfont à la clé de Luhn.",
        {"parameter": "recipient"},
    )
    RECIPIENT_CALLED = Row(
        "00211",
        422,
        UNPROCESSABLE,
        "Le paramètre recipient désigne l'entité demandée : indiquez le SIRET de l'administration destinatrice.",
        {"parameter": "recipient"},
    )
    MALFORMED = Row(
        "00401",
        400,
        "Requête mal formée",
        "La requête n'a pas pu être lue : vérifiez son chemin et ses en-têtes Accept et Content-Type.",
    )
    VERSION = Row(
        "00402",
        404,
        "Version inconnue",
        "Cette API n'existe pas dans la version demandée. Ses versions sont décrites par /openapi.json.",
    )
    LINK_LAPSED = Row(
        "00403",
        410,
        "Lien expiré",
        "Ce lien de téléchargement vaut une heure, et elle est passée. Refaites l'appel qui le donne.",
    )
    QUOTA = Row(
        "00429",
        429,
        "Trop d'appels",
        "La limite d'appels par minute est atteinte. Attendez la durée donnée par l'en-tête Retry-After. "
        + NOT_AN_ABSENCE,
    )
    DEFECT = Row(
        "00500",
        500,
        "Erreur interne",
        "La passerelle a rencontré une erreur inattendue. Transmettez l'en-tête X-Request-Id à son exploitant.",
    )
    STORAGE = Row(
        "00502",
        502,
        "Stockage des documents indisponible",
        "Le document a été obtenu mais n'a pas pu être conservé. Renouvelez votre appel.",
        meta={"retry_in": 10},
    )
    FILE_FORBIDDEN = Row("00601", 502, "Document refusé", _kept_by("refuse de le donner", 403))
    FILE_TOO_MANY = Row("00602", 502, "Document momentanément inaccessible", _kept_by("limite nos appels", 429))
    FILE_INTERNAL = Row("00603", 502, "Document inaccessible", _kept_by("a rencontré une erreur", 500))
    FILE_BAD_GATEWAY = Row("00604", 502, "Document momentanément inaccessible", _kept_by("n'est pas joignable", 502))
    FILE_UNAVAILABLE = Row("00605", 502, "Document momentanément inaccessible", _kept_by("est indisponible", 503))
    FILE_TIMEOUT = Row("00606", 502, "Document momentanément inaccessible", _kept_by("n'a pas répondu à temps", 504))
    ADMIN_INPUT = Row(
        "00400",
        422,
        UNPROCESSABLE,
        "Une valeur transmise n'est pas acceptable.",
    )
    ADMIN_UNKNOWN = Row(
        "00404",
        404,
        "Ressource inconnue",
        "Aucune ressource d'administration ne porte cet identifiant.",
    )


@dataclass(eq=False)
class Refusal(Exception):
    """The gateway refuses a request, for one reason or several of the same status."""

    rows: tuple[Row, ...]

    @staticmethod
    def of(*refused: Refused) -> "Refusal":
        """From the table."""
        return Refusal(tuple(one.value for one in refused))

    @staticmethod
    def of_formats(wrong: Iterable[tuple[Format, str]]) -> "Refusal":
        """Parameters that cannot be read: each format, and the parameter it names."""
        return Refusal(
            tuple(
                Row(rule.code, 422, UNPROCESSABLE, rule.detail, {"parameter": name} if name else None)
                for rule, name in wrong
            )
        )

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.rows[0].status

    @property
    def codes(self) -> tuple[str, ...]:
        """The official codes."""
        return tuple(row.code for row in self.rows)

    def body(self) -> bytes:
        """The official envelope."""
        return render([error(row.code, row.title, row.detail, row.source, row.meta) for row in self.rows])


def provider_code(failed: ProviderFailed, provider_digits: str) -> str:
    """The code of a provider's failure; a failure that is nobody's in particular carries the gateway's digits."""
    return ("00" if failed.kind.nobodys else provider_digits) + failed.kind.code


def provider_failure(failed: ProviderFailed, digits: str, name: str) -> tuple[int, str, bytes]:
    """Status, code and body of a provider's failure."""
    code = provider_code(failed, digits)
    meta: dict[str, Any] = {"provider": name} if failed.kind.names_provider else {}
    if failed.kind.retry_in is not None:
        meta["retry_in"] = failed.kind.retry_in
    body = render([error(code, failed.kind.title, failed.kind.detail, None, {**meta, **failed.meta})])
    return failed.kind.status, code, body


def error(
    code: str, title: str, detail: str, source: Mapping[str, str] | None = None, meta: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One error of the envelope: a null source is left out, meta is always there."""
    told: dict[str, Any] = {"code": code, "title": title, "detail": detail}
    if source is not None:
        told["source"] = dict(source)
    told["meta"] = dict(meta or {})
    return told


def render(errors: list[dict[str, Any]]) -> bytes:
    """The envelope."""
    return orjson.dumps({"errors": errors})


NOT_A_PAGE = "Cette adresse ne correspond à aucune ressource. La liste des API est donnée par /openapi.json.\n".encode()
GONE_V2 = (
    "La version 2 de l'API a été fermée le 15/11/2023. Utilisez les versions 3 et suivantes ; le guide de migration "
    "est publié sur https://entreprise.api.gouv.fr/developpeurs/guide-migration.\n"
).encode()
GONE_INPI = b"Cette ressource de l'INPI n'existe plus : voyez celles du Registre national des entreprises.\n"
