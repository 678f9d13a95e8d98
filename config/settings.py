"""The settings: one typed tree, read once from the environment and an optional TOML file, then handed over.

Environment `OCTROI_*`, nested with `__`, wins over the file named by `OCTROI_CONFIG`. An unknown key is an error that
names the nearest known one. No secret has a default.
"""

import base64
import binascii
import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import time
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from config.quotas import GROUPS

PREFIX = "OCTROI_"


class WrongSettings(Exception):
    """Every problem found in the settings, a line each: the setting, the reason, the remedy."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems apart, so that a caller may print them one by one."""
        super().__init__("\n".join(problems))
        self.problems = problems


class Branch(BaseModel):
    """A branch of the tree: frozen, and deaf to unknown keys in the sense that it refuses them."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class UpstreamSettings(Branch):
    """How providers are called."""

    override: HttpUrl | None = None
    """Sends all provider traffic to `{override}/HOST/PATH?QUERY` instead (simulator, replays)."""
    breaker: bool = True
    """Whether a provider that keeps failing is left alone for a while."""
    maintenance: bool = True
    """Whether the announced maintenance windows of providers are honoured."""
    deadline_seconds: float = Field(10.0, gt=0, le=60)
    """Longest time a caller waits for a provider, all calls and retries included."""
    max_body_bytes: int = Field(20 * 1024 * 1024, gt=0)
    """Largest decoded answer accepted from a provider."""
    concurrency: int = Field(64, gt=0)
    """Calls in flight to one provider from one worker; more wait, and are shed at the deadline."""


class JwtSettings(Branch):
    """The keys that sign and verify tokens."""

    secret: SecretStr | None = None
    """HS256 secret, at least 32 bytes."""
    keys: Path | None = None
    """JWK set file (RS256, ES256, EdDSA, oct); tokens name their key by `kid`; the first private key signs."""

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("must be at least 32 bytes (256 bits): generate one with `openssl rand -base64 48`")
        return secret


class CacheSettings(Branch):
    """The encrypted cache of answers."""

    keys: tuple[SecretStr, ...] = ()
    """AES-256 keys, newest first: a JSON list of base64 texts of 32 bytes each."""
    local_bytes: int = Field(64 * 1024 * 1024, ge=0)
    """Decrypted answers kept in each worker, validated by Redis at each use."""

    @field_validator("keys")
    @classmethod
    def _thirty_two_bytes(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            try:
                raw = base64.b64decode(key.get_secret_value(), validate=True)
            except (binascii.Error, ValueError):
                raise ValueError("each key must be base64: generate one with `openssl rand -base64 32`") from None
            if len(raw) != 32:
                raise ValueError(f"each key must hold 32 bytes, not {len(raw)}: `openssl rand -base64 32`")
        return keys


class RateLimitSettings(Branch):
    """Quotas and bans."""

    ip_per_minute: int = Field(1000, gt=0)
    """Requests per minute and IP before a ban."""
    refusals_before_ban: int = Field(2000, gt=0)
    """Requests refused with 429, from one IP, before a ban."""
    refusals_window_seconds: int = Field(300, gt=0)
    """The span over which those refusals are counted."""
    ban_seconds: int = Field(43200, gt=0)
    """Length of a ban: fixed, not extended by more calls, lifted by nobody."""
    groups: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """Limit per minute of a throttle group, where it differs from the contract's."""
    redis_timeout_seconds: float = Field(0.25, gt=0)
    """Longest wait for Redis before limits go on in process."""

    @field_validator("groups")
    @classmethod
    def _known(cls, groups: dict[str, int]) -> dict[str, int]:
        known = {group.name for group in GROUPS}
        for name in groups:
            if name not in known:
                raise ValueError(f"unknown group {name!r}{_nearest(name, known)}")
        return groups


class AuditSettings(Branch):
    """The audit trail."""

    retention_months: int = Field(36, ge=1)
    """Months a record is kept before its partition may be dropped."""
    durability: Literal["disk", "kernel"] = "disk"
    """When an answer may leave: `disk`, once its record is synchronised to the disk (survives a power cut); `kernel`,
    once the kernel has it (survives the death of the process)."""
    segment_bytes: int = Field(4 * 1024 * 1024, gt=0)
    """Size at which a spool segment is closed."""
    ship_every_seconds: float = Field(0.5, gt=0)
    """Pause between two shipments of spooled records to PostgreSQL."""


class DocumentSettings(Branch):
    """Where the documents of providers are kept."""

    store: str | None = None
    """Object store URL (`s3://bucket/prefix`, `file:///…`); by default a folder of the data directory."""
    lifetime_seconds: int = Field(86400, gt=0)
    """Life of a link to a document."""


class MaintenanceWindow(Branch):
    """A span, in Paris time and bounds included, during which a provider is not to be called."""

    start: time
    end: time
    """Earlier than `start` where the window crosses midnight."""
    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = None
    """Only on that day of the week."""
    dates: tuple[str, ...] = ()
    """Only on those days, as YYYY-MM-DD."""


class ProviderSettings(Branch):
    """What may be told of one provider; each uses the settings that its protocol needs."""

    base_url: HttpUrl | None = None
    """Where its service is, without the path of an operation."""
    token_url: HttpUrl | None = None
    """Where it hands out access tokens."""
    client_id: str | None = None
    client_secret: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    fallback_username: str | None = None
    fallback_password: SecretStr | None = None
    api_key: SecretStr | None = None
    certificate: Path | None = None
    """PEM file of the client certificate, with its private key."""
    connect_timeout_seconds: float | None = Field(None, gt=0)
    read_timeout_seconds: float | None = Field(None, gt=0)
    breaker: bool = True
    """Whether this provider has a breaker."""
    maintenance: tuple[MaintenanceWindow, ...] | None = None
    """Its maintenance windows, instead of the known ones."""


class MetricsSettings(Branch):
    """Prometheus metrics."""

    host: str = "127.0.0.1"
    port: int | None = Field(None, ge=0, le=65535)
    """Port of their own; none: `/metrics` answers on the main port to operators' tokens only."""


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        env_ignore_empty=True,
    )

    redis_url: SecretStr | None = None
    """Redis, Valkey: `redis://`, `rediss://`, `redis+sentinel://h1,h2/service`, `redis+cluster://`. None: embedded."""
    database_url: SecretStr | None = None
    """PostgreSQL ≥ 14, `postgresql://…`. None: embedded."""
    data_dir: Path = Path(".octroi")
    """Spool, documents, embedded servers' data, generated development keys."""
    public_url: HttpUrl | None = None
    """What absolute links in answers begin with. None: the address served."""
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """CIDRs whose X-Forwarded-For is believed, comma-separated."""
    query_token: bool = True
    """Whether a token may be given as `?token=` (it ends up in the logs of whatever stands in between)."""
    distinct_recipient: bool = False
    """Whether a call made for the very company it asks about is refused (00211); the official service accepts it."""
    workers: int = Field(1, ge=1)
    """Worker processes; `octroi serve --workers` sets it."""
    log_requests: bool = False
    """Whether each request is logged when answered, beside its audit record."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    upstream: UpstreamSettings = UpstreamSettings()
    jwt: JwtSettings = JwtSettings()
    cache: CacheSettings = CacheSettings()
    ratelimit: RateLimitSettings = RateLimitSettings()
    audit: AuditSettings = AuditSettings()
    documents: DocumentSettings = DocumentSettings()
    metrics: MetricsSettings = MetricsSettings()
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    """By slug: `OCTROI_PROVIDERS__INSEE__CLIENT_ID`."""

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what was handed over (the content of the file)."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings told by the environment and the file it names.

    Raises WrongSettings with every problem found.
    """
    environ = os.environ if environ is None else environ
    problems = list(_unknown_variables(environ))
    told = _file(environ, problems)
    try:
        settings = Settings(**told)
    except ValidationError as error:
        problems += [_sentence(detail["loc"], detail["msg"]) for detail in error.errors()]
    except SettingsError as error:
        problems += _not_json(environ, error)
    if problems:
        raise WrongSettings(problems)
    return settings


def _file(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    name = environ.get(PREFIX + "CONFIG")
    if not name:
        return {}
    try:
        return tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"OCTROI_CONFIG: cannot read {name} ({error.strerror}); name a readable TOML file or unset it")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"OCTROI_CONFIG: {name} is not TOML: {error}")
    return {}


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == PREFIX + "CONFIG":
            continue
        model: type[BaseModel] = Settings
        for part in variable.removeprefix(PREFIX).lower().split("__"):
            if part not in model.model_fields:
                yield f"{variable}: unknown setting{_nearest(part, model.model_fields)}"
                break
            branch = model.model_fields[part].annotation
            if not (isinstance(branch, type) and issubclass(branch, BaseModel)):
                break
            model = branch


def _not_json(environ: Mapping[str, str], error: SettingsError) -> list[str]:
    """The variables that hold the text which could not be read, without a word of it: it may be a secret."""
    text = getattr(error.__cause__, "doc", None)
    variables = [name for name in sorted(environ) if name.startswith(PREFIX) and environ[name] == text]
    remedy = """is not JSON; write a list as '["…", "…"]', an object as '{"…": …}'"""
    return [f"{name}: {remedy}" for name in variables] or [f"{PREFIX}…: {error}"]


def _sentence(path: tuple[int | str, ...], reason: str) -> str:
    name = PREFIX + "__".join(str(part).upper() for part in path)
    if reason.startswith("Extra inputs"):
        known: Mapping[str, Any] = Settings.model_fields
        for part in path[:-1]:
            branch = known[str(part)].annotation if str(part) in known else None
            known = branch.model_fields if isinstance(branch, type) and issubclass(branch, BaseModel) else {}
        return f"{name}: unknown setting{_nearest(str(path[-1]), known or ProviderSettings.model_fields)}"
    return f"{name}: {reason.removeprefix('Value error, ')}"


def _nearest(name: str, known: Mapping[str, Any] | set[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(sorted(known))}"
