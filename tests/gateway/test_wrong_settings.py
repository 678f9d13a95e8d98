"""Settings that cannot serve: each problem is one line that names the setting and the remedy, and nothing starts."""

import io
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from gateway.cli import main

KEY = "0" * 43 + "="


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting but an empty data directory, and servers that would not answer; the logs of tests as they are."""
    monkeypatch.setattr("gateway.logs.configure", lambda *_, **__: None)
    for name in [name for name in os.environ if name.startswith("OCTROI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OCTROI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OCTROI_DATABASE_URL", "postgresql://octroi:x@127.0.0.1:1/octroi")
    monkeypatch.setenv("OCTROI_REDIS_URL", "redis://127.0.0.1:1/0")


def said_by(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What `octroi …` leaves on standard error as it ends with status 1."""
    monkeypatch.setattr(sys, "argv", ["octroi", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, str), "it ended well"
    return ended.value.code


WRONG = {
    "an unknown setting": ({"REDIS_ULR": "x"}, "OCTROI_REDIS_ULR: unknown setting; did you mean redis_url?"),
    "an unknown setting of a branch": (
        {"RATELIMIT__IP_PER_MINUT": "1"},
        "OCTROI_RATELIMIT__IP_PER_MINUT: unknown setting; did you mean ip_per_minute?",
    ),
    "an unknown group": ({"RATELIMIT__GROUPS__JSON": "1"}, "OCTROI_RATELIMIT__GROUPS: unknown group 'json'"),
    "a limit of nought": ({"RATELIMIT__IP_PER_MINUTE": "0"}, "OCTROI_RATELIMIT__IP_PER_MINUTE: "),
    "a short secret": ({"JWT__SECRET": "too short"}, "generate one with `openssl rand -base64 48`"),
    "a cache key that is no base64": ({"CACHE__KEYS": '["?"]'}, "OCTROI_CACHE__KEYS: each key must be base64"),
    "a short cache key": ({"CACHE__KEYS": '["c2hvcnQ="]'}, "OCTROI_CACHE__KEYS: each key must hold 32 bytes, not 5"),
    "cache keys that are no list": ({"CACHE__KEYS": KEY}, "OCTROI_CACHE__KEYS: is not JSON; write a list as"),
    "a key set that is not there": (
        {"JWT__KEYS": "/nowhere/keys.json"},
        "OCTROI_JWT__KEYS: cannot read /nowhere/keys.json (No such file or directory); name a readable file",
    ),
    "a store of no known kind": (
        {"DOCUMENTS__STORE": "s4://bucket"},
        'OCTROI_DOCUMENTS__STORE: Generic URL error: Unable to recognise URL "s4://bucket"; write s3://bucket/prefix',
    ),
    "a store that is no address": ({"DOCUMENTS__STORE": "bucket"}, "OCTROI_DOCUMENTS__STORE: relative URL without a"),
    "a store that each worker would have for itself": (
        {"DOCUMENTS__STORE": "memory:///"},
        "OCTROI_DOCUMENTS__STORE: workers cannot share such a store; write s3://bucket/prefix",
    ),
    "a folder of documents that is not there": (
        {"DOCUMENTS__STORE": "file:///nowhere/documents"},
        "or file:// and a folder that exists",
    ),
    "an unknown provider": (
        {"PROVIDERS__INSE__CLIENT_ID": "x"},
        "OCTROI_PROVIDERS__INSE: unknown provider; did you mean insee?",
    ),
    "an unknown setting of a provider": (
        {"PROVIDERS__INSEE__CLIENTID": "x"},
        "OCTROI_PROVIDERS__INSEE__CLIENTID: unknown setting; did you mean client_id?",
    ),
    "a certificate that is not there": (
        {"PROVIDERS__INSEE__CERTIFICATE": "/nowhere/insee.pem"},
        "OCTROI_PROVIDERS__INSEE__CERTIFICATE: cannot use /nowhere/insee.pem",
    ),
    "another kind of Redis": ({"REDIS_URL": "http://h"}, "OCTROI_REDIS_URL: unknown scheme 'http': use redis, rediss"),
    "another kind of database": ({"DATABASE_URL": "mysql://h/d"}, "OCTROI_DATABASE_URL: must begin with postgresql://"),
    "a file that is not there": ({"CONFIG": "/nowhere/octroi.toml"}, "OCTROI_CONFIG: cannot read /nowhere/octroi.toml"),
    "a data directory that cannot be": ({"DATA_DIR": "/dev/null/data"}, "OCTROI_DATA_DIR: cannot use /dev/null/data"),
    "a proxy that is no network": ({"TRUSTED_PROXIES": "10.0.0.0/8,here"}, "OCTROI_TRUSTED_PROXIES"),
}


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("config", "check")], ids=["serve", "config check"])
@pytest.mark.parametrize(("told", "line"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named_with_the_remedy_and_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], told: dict[str, str], line: str
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(f"OCTROI_{name}", value)

    said = said_by(monkeypatch, *command)

    assert line in said
    assert all(problem.startswith("OCTROI_") for problem in said.split("\n"))


def test_every_problem_is_told_not_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTROI_JWT__KEYS", "/nowhere/keys.json")
    monkeypatch.setenv("OCTROI_PROVIDERS__INSE__CLIENT_ID", "x")
    monkeypatch.setenv("OCTROI_REDIS_URL", "http://h")

    said = said_by(monkeypatch, "serve", "--port", "0")

    assert len(said.split("\n")) == 3


def test_a_secret_that_is_wrong_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTROI_JWT__SECRET", "swordfish")
    monkeypatch.setenv("OCTROI_CACHE__KEYS", '["swordfish"]')
    monkeypatch.setenv("OCTROI_REDIS_URL", "http://u:swordfish@h")

    assert "swordfish" not in said_by(monkeypatch, "serve", "--port", "0")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("{", 'is not a JWK set: write {"keys": […]}'),
        ('{"keys": []}', "holds no key; add one or unset it"),
        (json.dumps({"keys": [{"kty": "oct", "kid": "a", "k": "c2hvcnQ"}]}), "must hold at least 32 bytes"),
        (json.dumps({"keys": [{"kty": "oct", "k": "x" * 43}]}), "has no `kid`"),
    ],
)
def test_a_key_set_that_cannot_be_used_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, line: str
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    monkeypatch.setenv("OCTROI_JWT__KEYS", str(path))

    said = said_by(monkeypatch, "serve", "--port", "0")

    assert said.startswith("OCTROI_JWT__KEYS: ")
    assert line in said


def test_a_port_in_use_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = said_by(monkeypatch, "serve", "--port", str(port))

    assert said == f"127.0.0.1:{port} cannot be listened on (Address already in use); choose another with --port"


def test_a_token_that_is_no_file_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_by(monkeypatch, "token", "inspect", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln")

    assert said.startswith("The JWT cannot be read (No such file or directory): give it on standard input")
    assert "eyJ" not in said


@pytest.mark.parametrize("text", ["junk", "eyJhbGciOiJub25lIn0.e30.", "\0", ""])
def test_what_is_no_token_of_ours_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    said = said_by(monkeypatch, "token", "inspect")

    assert said.startswith("This is not a token of ours: ")
    assert "eyJ" not in said


def test_sound_settings_are_said_to_be_so_with_what_each_provider_still_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OCTROI_PROVIDERS__INSEE__CLIENT_ID", "x")
    monkeypatch.setenv("OCTROI_JWT__SECRET", "x" * 32)
    monkeypatch.setattr(sys, "argv", ["octroi", "config", "check", "--json"])

    with pytest.raises(SystemExit) as ended:
        main()

    told = {line["provider"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert ended.value.code in (0, None)
    assert not told["insee"]["ready"]
    assert "OCTROI_PROVIDERS__INSEE__CLIENT_SECRET" in told["insee"]["missing"]
    assert "OCTROI_PROVIDERS__INSEE__CLIENT_ID" not in told["insee"]["missing"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("audit", "search", "--token", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"), "--token: takes the jti"),
        (("audit", "search", "--habilitation", "x"), "--habilitation: 'x' is not a UUID"),
        (("audit", "search", "--from", "yesterday"), "--from: 'yesterday' is not a date; write 2026-12-31"),
        (("habilitation", "list"), "PostgreSQL cannot be reached"),
    ],
)
def test_a_command_that_cannot_do_its_work_says_why_in_one_line(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], line: str
) -> None:
    said = said_by(monkeypatch, *words)

    assert line in said
    assert len(said.split("\n")) == 1


def test_a_database_that_refuses_us_stops_the_gateway(monkeypatch: pytest.MonkeyPatch, postgres_server: str) -> None:
    nowhere = postgres_server.rpartition("/")[0] + "/nowhere"
    monkeypatch.setenv("OCTROI_DATABASE_URL", nowhere)

    said = said_by(monkeypatch, "serve", "--port", "0")

    assert said.startswith('PostgreSQL refuses to serve Octroi (database "nowhere" does not exist)')
    assert said.endswith("check OCTROI_DATABASE_URL")
    assert nowhere not in said
