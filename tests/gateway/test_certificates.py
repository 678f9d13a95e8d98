"""Providers that let in only who shows a certificate: what is checked at start, and what they see of us."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.settings import ProviderSettings, UpstreamSettings, WrongSettings
from gateway.parts import certified_contexts
from gateway.transport import ProviderTransport
from providers.base import Get, Provider, ProviderFailed, Upstream
from tests.providers.golden import NOW, MemoryDocuments, MemoryVault

WHOLE_LIFE = timedelta(days=3650)
BORN = datetime(2026, 1, 1, tzinfo=UTC)


class Authority:
    """An invented certificate authority."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of these tests")])
        self.certificate = self._sign(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))

    def pem(self, name: str, *, password: bytes | None = None) -> bytes:
        """A certificate with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key, x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]))
        sealing = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)
        return certificate.public_bytes(serialization.Encoding.PEM) + private

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        if subject == self.name:
            builder = builder.add_extension(identifier, critical=False)
            builder = builder.add_extension(_SIGNS, critical=True)
        else:
            builder = builder.add_extension(authority, critical=False)
        return builder.not_valid_before(BORN).not_valid_after(BORN + WHOLE_LIFE).sign(self.key, hashes.SHA256())


_SIGNS = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The authority's certificate, which clients made during the test trust."""
    path = tmp_path / "authority.pem"
    path.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


@asynccontextmanager
async def a_provider_that_asks_for_a_certificate(
    authority: Authority, trusted: Path
) -> AsyncIterator[tuple[Provider, list[str]]]:
    """It writes down the names on the certificates it is shown."""
    shown: list[str] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (trusted.parent / "server.pem").write_bytes(authority.pem("provider"))
    server_side.load_cert_chain(trusted.parent / "server.pem")
    server_side.load_verify_locations(trusted)
    server_side.verify_mode = ssl.CERT_REQUIRED

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        subject = dict(pair for (pair,) in writer.get_extra_info("peercert")["subject"])
        shown.append(subject["commonName"])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_side)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield (
            Provider(
                slug="banque", code="99", name="Banque", base_url=f"https://127.0.0.1:{port}", wants_certificate=True
            ),
            shown,
        )


async def test_a_provider_is_shown_the_certificate_of_its_settings(
    authority: Authority, trusted: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "ours.pem"
    ours.write_bytes(authority.pem("passerelle"))
    told = {"banque": ProviderSettings(certificate=ours)}
    context = certified_contexts(told)["banque"]

    async with (
        a_provider_that_asks_for_a_certificate(authority, trusted) as (provider, shown),
        ProviderTransport(ssl.create_default_context(cafile=trusted)) as bare,
        ProviderTransport(context) as certified,
    ):
        upstream = Upstream(
            bare, UpstreamSettings(), told, MemoryVault(), MemoryDocuments(), lambda: NOW, {"banque": certified}
        )
        reply = await upstream.send(provider, Get("/"), {})

    assert reply.status == 200
    assert shown == ["passerelle"]


async def test_a_provider_that_wants_a_certificate_is_not_called_without_one(
    authority: Authority, trusted: Path
) -> None:
    async with (
        a_provider_that_asks_for_a_certificate(authority, trusted) as (provider, shown),
        ProviderTransport(ssl.create_default_context(cafile=trusted)) as bare,
    ):
        upstream = Upstream(bare, UpstreamSettings(), {}, MemoryVault(), MemoryDocuments(), lambda: NOW)
        with pytest.raises(ProviderFailed, match="006"):
            await upstream.send(provider, Get("/"), {})

    assert not shown


def test_every_certificate_that_cannot_be_used_is_told_with_its_setting(authority: Authority, tmp_path: Path) -> None:
    pem = authority.pem("passerelle")
    files = {
        "absent": None,
        "not_pem": b"hello",
        "without_key": pem[: pem.index(b"-----BEGIN PRIVATE")],
        "encrypted": authority.pem("passerelle", password=b"secret"),
        "good": pem,
    }
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)

    with pytest.raises(WrongSettings) as wrong:
        certified_contexts({name: ProviderSettings(certificate=tmp_path / name) for name in files})

    told = [problem.partition(":")[0] for problem in wrong.value.problems]
    assert told == [
        f"OCTROI_PROVIDERS__{name}__CERTIFICATE" for name in ("ABSENT", "NOT_PEM", "WITHOUT_KEY", "ENCRYPTED")
    ]
