"""`octroi habilitation` and `octroi token`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from config.clock import system_clock
from config.settings import load
from gateway.cli.common import JSON_OPTION, Connected, Failed, all_scopes, as_line, moment, run, show, signed
from gateway.registry.rules import Terms, Unacceptable
from gateway.registry.store import Habilitation, Token, Unknown
from gateway.tokens import InvalidToken, Keys

habilitations = typer.Typer(help="Habilitations: who may ask what.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens of habilitations.", no_args_is_help=True)

HABILITATION_COLUMNS = ("id", "siret", "intitule", "status", "scopes", "allowed_ips", "rate_limit_per_minute")
TOKEN_COLUMNS = ("jti", "kind", "subject", "expires_at", "revoked_at")


@habilitations.command()
def create(
    siret: Annotated[str, typer.Option(help="SIRET of the public body.")],
    title: Annotated[str, typer.Option(help="What the habilitation is for.")],
    scopes: Annotated[str, typer.Option(help="`all`, or scopes separated by commas.")],
    allowed_ip: Annotated[list[str] | None, typer.Option(help="An address or CIDR that may call; repeat it.")] = None,
    rate_limit: Annotated[int | None, typer.Option(help="Calls per minute over all routes.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Create a habilitation, and print its id."""
    asked = (
        tuple(sorted(all_scopes())) if scopes == "all" else tuple(part for part in scopes.split(",") if part.strip())
    )
    terms = Terms(
        siret=siret,
        intitule=title,
        scopes=asked,
        allowed_ips=tuple(allowed_ip or ()),
        rate_limit_per_minute=rate_limit,
    )

    async def work(connections: Connected) -> Habilitation:
        return await connections.store.create_habilitation(terms)

    created = _accepted(work)
    typer.echo(as_line({"id": created.id}) if as_json else created.id)


@habilitations.command()
def update(
    habilitation: str,
    title: Annotated[str | None, typer.Option(help="What the habilitation is for.")] = None,
    scopes: Annotated[str | None, typer.Option(help="`all`, or scopes separated by commas.")] = None,
    allowed_ip: Annotated[list[str] | None, typer.Option(help="Replaces the list; `any` empties it.")] = None,
    rate_limit: Annotated[int | None, typer.Option(help="Calls per minute; 0 removes the limit.")] = None,
    status: Annotated[str | None, typer.Option(help="`active`, or `closed`, which revokes its tokens.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Change a habilitation; it holds at the next request."""
    changes: dict[str, Any] = {}
    if title is not None:
        changes["intitule"] = title
    if scopes is not None:
        changes["scopes"] = tuple(sorted(all_scopes())) if scopes == "all" else tuple(scopes.split(","))
    if allowed_ip:
        changes["allowed_ips"] = () if allowed_ip == ["any"] else tuple(allowed_ip)
    if rate_limit is not None:
        changes["rate_limit_per_minute"] = rate_limit or None
    if status is not None:
        changes["status"] = status

    async def work(connections: Connected) -> Habilitation:
        changed, states = await connections.store.update_habilitation(habilitation, changes)
        await connections.publish(*states)
        return changed

    show([habilitation_row(_accepted(work))], as_json, HABILITATION_COLUMNS)


@habilitations.command("list")
def list_habilitations(limit: int = 100, as_json: bool = JSON_OPTION) -> None:
    """List habilitations, newest first."""

    async def work(connections: Connected) -> list[Habilitation]:
        return await connections.store.habilitations(limit=limit)

    show([habilitation_row(one) for one in _accepted(work)], as_json, HABILITATION_COLUMNS)


@habilitations.command("show")
def show_habilitation(habilitation: str, as_json: bool = JSON_OPTION) -> None:
    """Show a habilitation and its tokens."""

    async def work(connections: Connected) -> tuple[Habilitation, list[Token]]:
        found = await connections.store.habilitation(habilitation)
        return found, await connections.store.tokens(habilitation_id=habilitation)

    found, issued = _accepted(work)
    if as_json:
        typer.echo(as_line({**habilitation_row(found), "tokens": [token_row(one) for one in issued]}))
        return
    show([habilitation_row(found)], False, HABILITATION_COLUMNS)
    show([token_row(one) for one in issued], False, TOKEN_COLUMNS)


@tokens.command()
def issue(
    habilitation: Annotated[str, typer.Option(help="Id of its habilitation.")],
    expires_at: Annotated[
        str | None, typer.Option(help="Date, 18 months away at most and by default; past: already expired.")
    ] = None,
    mcp: Annotated[bool, typer.Option(help="Whether it opens the MCP service.")] = False,
) -> None:
    """Issue a token: its JWT, alone, on standard output."""
    until = moment(expires_at, "--expires-at")

    async def work(connections: Connected) -> str:
        keys = Keys.load(connections.settings.jwt, connections.settings.data_dir, system_clock)
        token, states = await connections.store.issue_token(habilitation, expires_at=until, mcp=mcp, may_be_past=True)
        await connections.publish(*states)
        return signed(keys, token)

    typer.echo(_accepted(work))


@tokens.command("list")
def list_tokens(habilitation: str | None = None, limit: int = 100, as_json: bool = JSON_OPTION) -> None:
    """List tokens, newest first."""

    async def work(connections: Connected) -> list[Token]:
        return await connections.store.tokens(habilitation_id=habilitation, limit=limit)

    show([token_row(one) for one in _accepted(work)], as_json, TOKEN_COLUMNS)


@tokens.command("show")
def show_token(jti: str, as_json: bool = JSON_OPTION) -> None:
    """Show what the registry says of a token."""

    async def work(connections: Connected) -> Token:
        return await connections.store.token(jti)

    show([token_row(_accepted(work))], as_json, TOKEN_COLUMNS)


@tokens.command()
def revoke(
    jti: str,
    at: Annotated[str | None, typer.Option(help="Moment from which it is refused; now by default.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Revoke a token; it is refused at its next call."""
    when = moment(at, "--at")

    async def work(connections: Connected) -> Token:
        token, states = await connections.store.revoke_token(jti, at=when, reason=reason)
        await connections.publish(*states)
        return token

    show([token_row(_accepted(work))], as_json, TOKEN_COLUMNS)


@tokens.command()
def inspect(
    file: Annotated[Path | None, typer.Argument(help="File of the JWT; standard input by default.")] = None,
) -> None:
    """Tell what a JWT is worth. It comes from standard input or a file: the shell remembers arguments."""
    try:
        text = (file.read_text() if file is not None else sys.stdin.read()).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise Failed(f"The JWT cannot be read ({reason}): give it on standard input, or name a file of it") from None
    settings = load()
    try:
        claims = Keys.load(settings.jwt, settings.data_dir, system_clock).verify(text)
    except InvalidToken as reason:
        raise Failed(f"This is not a token of ours: {reason}") from None

    async def work(connections: Connected) -> Token:
        return await connections.store.token(claims.jti)

    typer.echo(as_line(token_row(_accepted(work))))


def habilitation_row(one: Habilitation) -> dict[str, Any]:
    """A habilitation as it is shown."""
    return {"id": one.id, **asdict(one.terms), "created_at": one.created_at, "updated_at": one.updated_at}


def token_row(one: Token) -> dict[str, Any]:
    """A token as it is shown."""
    return asdict(one)


def _accepted(work: Any) -> Any:
    """What the work gives. Raises Failed with every reason where the registry refuses."""
    try:
        return run(work)
    except Unacceptable as wrong:
        raise Failed("\n".join(map(str, wrong.problems))) from None
    except Unknown as unknown:
        raise Failed(f"The registry has no {unknown}; list what it has with `octroi habilitation list`") from None
