"""Which texts are tokens of ours. Most refusals are those of RFC 8725 and of what is known to go wrong with JWTs."""

import base64
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from config.settings import JwtSettings, WrongSettings
from gateway.tokens import AMBIGUOUS, Claims, InvalidToken, Keys, NotYetValid, VerifiedTokens, find_token, mask_token

NOW = 1772442000
JTI = "7a1d9f0e-3c52-4b7e-9a44-0d6f5b1c2e33"
SECRET = "a secret of this test, long enough for HS256"


def now() -> float:
    return float(NOW)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.load(JwtSettings(secret=SECRET), tmp_path, now)


def b64(raw: bytes | str) -> str:
    return base64.urlsafe_b64encode(raw.encode() if isinstance(raw, str) else raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    told = {"uid": JTI, "jti": JTI, "scopes": ["entreprises"], "sub": "Essai", "iat": NOW, "version": "1.0"}
    return {name: value for name, value in (told | changes).items() if value is not ...}


def signed(
    payload: dict[str, Any] | str | bytes, header: dict[str, Any] | str | None = None, secret: str = SECRET
) -> str:
    """A token signed with HS256 whatever its header says."""
    head = header if isinstance(header, str) else json.dumps({"alg": "HS256"} | (header or {}))
    body = payload if isinstance(payload, str | bytes) else json.dumps(payload)
    message = f"{b64(head)}.{b64(body)}"
    return f"{message}.{b64(jwt.get_algorithm_by_name('HS256').sign(message.encode(), secret.encode()))}"


class TestWhatIsOurs:
    def test_a_token_that_was_signed_here_is_verified(self, keys: Keys) -> None:
        token = keys.sign(jti=JTI, scopes={"b", "a"}, subject="Essai", issued_at=NOW, expires_at=NOW + 9)

        read = keys.verify(token)

        assert read == Claims(JTI)
        assert jwt.decode(token, options={"verify_signature": False}) == {
            "uid": JTI,
            "jti": JTI,
            "scopes": ["a", "b"],
            "sub": "Essai",
            "iat": NOW,
            "version": "1.0",
            "exp": NOW + 9,
        }
        assert "kid" not in jwt.get_unverified_header(token)

    def test_a_token_made_by_another_library_is_verified(self, keys: Keys) -> None:
        token = jwt.encode(claims(), SECRET, "HS256")

        assert keys.verify(token) == keys.verify(token.encode()) == Claims(JTI)

    def test_a_header_needs_no_type(self, keys: Keys) -> None:
        assert keys.verify(signed(claims(), '{"alg":"HS256"}')).jti == JTI

    @pytest.mark.parametrize(
        "changes", [{"scopes": ..., "roles": ["x"]}, {"scopes": ["y"], "roles": ["x"]}, {"scopes": ...}]
    )
    def test_roles_stand_for_scopes_and_neither_is_needed(self, keys: Keys, changes: dict[str, Any]) -> None:
        assert keys.verify(signed(claims(**changes))).jti == JTI

    def test_the_mcp_claim_is_read(self, keys: Keys) -> None:
        assert keys.verify(signed(claims(mcp=True))).mcp
        assert not keys.verify(signed(claims(mcp="true"))).mcp

    def test_an_expiry_that_has_passed_does_not_matter_as_the_registry_holds_the_one_that_counts(
        self, keys: Keys
    ) -> None:
        assert keys.verify(signed(claims(exp=NOW - 1))).jti == JTI

    @pytest.mark.parametrize("name", ["nbf", "iat"])
    def test_the_clock_of_the_signer_may_be_a_minute_ahead_and_no_more(self, keys: Keys, name: str) -> None:
        assert keys.verify(signed(claims(**{name: NOW + 60}))).jti == JTI
        with pytest.raises(NotYetValid):
            keys.verify(signed(claims(**{name: NOW + 61})))


_NAMES = st.sampled_from(["alg", "kid", "typ", "uid", "jti", "scopes", "exp"]) | st.text()
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
)


class TestWhatIsNot:
    @pytest.mark.parametrize(
        "algorithm", ["none", "None", "NONE", "nOnE", "HS384", "HS512", "RS256", "hs256", "", None, 256]
    )
    def test_another_algorithm_than_that_of_the_key(self, keys: Keys, algorithm: object) -> None:
        refused(keys, signed(claims(), {"alg": algorithm}))

    @pytest.mark.parametrize("signature", ["", ".", "e30", "AAAA"])
    def test_no_signature_or_another(self, keys: Keys, signature: str) -> None:
        refused(keys, signed(claims()).rpartition(".")[0] + "." + signature)
        refused(keys, f"{b64(json.dumps({'alg': 'none'}))}.{b64(json.dumps(claims()))}.{signature}")

    def test_a_signature_of_another_environment(self, keys: Keys) -> None:
        refused(keys, signed(claims(), secret="the secret of another environment, as long"))

    @pytest.mark.parametrize(
        "kid",
        ["../../../../dev/null", "' OR 1=1 --", "https://example.org/key", "\x00", "k" * 5000, "", None, 1, ["a"], {}],
        ids=["path", "sql", "url", "null byte", "long", "empty", "null", "number", "list", "object"],
    )
    def test_a_kid_that_names_no_key(self, keys: Keys, kid: object) -> None:
        refused(keys, signed(claims(), {"kid": kid}))

    def test_a_key_the_token_brings_along(self, keys: Keys) -> None:
        own = "a secret that the author of the token chose himself"
        brought = {"kty": "oct", "k": b64(own)}

        for header in ({"jwk": brought}, {"jku": "https://example.org/jwks"}, {"x5u": "https://example.org/x"}):
            refused(keys, signed(claims(), header, secret=own))

    @pytest.mark.parametrize(
        "header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": True}]
    )
    def test_an_extension_that_must_be_understood(self, keys: Keys, header: dict[str, Any]) -> None:
        refused(keys, signed(claims(), header))

    @pytest.mark.parametrize(
        "header", [{"enc": "A128GCM"}, {"zip": "DEF"}, {"cty": "JWT"}, {"typ": "at+jwt"}, {"typ": 1}]
    )
    def test_an_encrypted_a_nested_or_another_type_of_token(self, keys: Keys, header: dict[str, Any]) -> None:
        refused(keys, signed(claims(), header))

    def test_five_parts_or_two_or_none(self, keys: Keys) -> None:
        token = signed(claims())

        for text in (f"{token}.a.b", f"{token}.", f".{token}", token.partition(".")[2], "", ".", "..", "a.b.c"):
            refused(keys, text)

    def test_a_json_key_given_twice(self, keys: Keys) -> None:
        refused(keys, signed(claims(), '{"alg":"none","alg":"HS256"}'))
        refused(keys, signed(json.dumps(claims())[:-1] + f',"jti":"{JTI}"}}'))
        refused(keys, signed(json.dumps(claims())[:-1] + ',"extra_info":{"a":1,"a":2}}'))

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize(
        "value", ["1772442000", 1772442000.0, -1, 1e308, True, None, [], {}, 2**60, "1e308"], ids=repr
    )
    def test_a_date_that_is_no_date(self, keys: Keys, name: str, value: object) -> None:
        refused(keys, signed(claims(**{name: value})))

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
    def test_a_number_that_is_not_json_or_has_no_end(self, keys: Keys, value: str) -> None:
        refused(keys, signed(json.dumps(claims())[:-1] + f',"exp":{value}}}'))

    def test_objects_nested_without_end(self, keys: Keys) -> None:
        refused(keys, signed("[" * 3000 + "]" * 3000))
        refused(keys, signed('{"a":' * 900 + "1" + "}" * 900))

    @pytest.mark.parametrize(
        "changes",
        [
            {"uid": "0b0e7f4e-3c52-4b7e-9a44-0d6f5b1c2e33"},
            {"uid": ...},
            {"jti": ...},
            {"uid": JTI.upper(), "jti": JTI.upper()},
            {"uid": JTI.upper()},
            {"uid": "12", "jti": "12"},
            {"uid": JTI + "\n", "jti": JTI + "\n"},
            {"uid": JTI.replace("7", "٧"), "jti": JTI.replace("7", "٧")},
            {"uid": 1, "jti": 1},
            {"uid": None, "jti": None},
            {"uid": "00000000-0000-0000-0000-000000000000", "jti": "00000000-0000-0000-0000-000000000000"},
        ],
        ids=repr,
    )
    def test_uid_and_jti_that_are_not_one_lower_case_uuid(self, keys: Keys, changes: dict[str, Any]) -> None:
        refused(keys, signed(claims(**changes)))

    @pytest.mark.parametrize("scopes", [None, "entreprises", {"a": 1}, [1], ["a", None], [["a"]], 1, True], ids=repr)
    def test_scopes_that_are_no_list_of_texts(self, keys: Keys, scopes: object) -> None:
        refused(keys, signed(claims(scopes=scopes)))
        refused(keys, signed(claims(scopes=..., roles=scopes)))

    @pytest.mark.parametrize("payload", ["", "null", "[]", "1", '"a"', b"\xff\xfe", "{", "{}{}", "\ufeff{}"], ids=repr)
    def test_claims_that_are_no_json_object(self, keys: Keys, payload: str | bytes) -> None:
        refused(keys, signed(payload))

    @pytest.mark.parametrize("change", [" {}", "{} ", "{}\n", "\u00a0{}", "{}=", "{}\x00", "{},{}", "Bearer {}"])
    def test_a_token_with_something_around_it(self, keys: Keys, change: str) -> None:
        refused(keys, change.replace("{}", signed(claims())))

    def test_a_token_spelled_otherwise(self, keys: Keys) -> None:
        """Base64 lets the unused bits of the last character vary: one token would have many texts."""
        token = signed(claims())
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        other = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
        assert base64.urlsafe_b64decode(other.rpartition(".")[2] + "=") == base64.urlsafe_b64decode(
            token.rpartition(".")[2] + "="
        )

        refused(keys, other)

    def test_a_token_of_more_than_eight_kilobytes(self, keys: Keys) -> None:
        refused(keys, signed(claims(sub="x" * 7000)))

    @given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
    def test_anything_at_all(self, anything: bytes | str) -> None:
        refused(_KEYS, anything)

    @given(header=_ANY_JSON, payload=_ANY_JSON)
    def test_any_json_well_signed(self, header: object, payload: object) -> None:
        for told in (header, {"alg": "HS256"}):
            refused(_KEYS, signed(json.dumps(payload), json.dumps(told)))


_KEYS = Keys.load(JwtSettings(secret=SECRET), Path(), now)


def refused(keys: Keys, token: str | bytes) -> None:
    with pytest.raises(InvalidToken):
        keys.verify(token)


RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    kinds: list[tuple[type, Callable[..., dict[str, Any]]]] = [
        (rsa.RSAPrivateKey | rsa.RSAPublicKey, RSAAlgorithm.to_jwk),
        (ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey, ECAlgorithm.to_jwk),
        (ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey, OKPAlgorithm.to_jwk),
    ]
    told = next(write for kind, write in kinds if isinstance(key, kind))(key, as_dict=True)
    told.pop("key_ops", None)
    return told | {"kid": kid} | more


def key_set(tmp_path: Path, *jwks: Any, secret: str | None = None) -> Keys:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": jwks}))
    return Keys.load(JwtSettings(keys=path, secret=secret), tmp_path, now)


class TestKeySets:
    @pytest.mark.parametrize(
        ("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")], ids=["RSA", "EC", "OKP"]
    )
    def test_each_kind_of_key_signs_and_its_public_half_verifies(
        self, tmp_path: Path, key: Any, algorithm: str
    ) -> None:
        private = key_set(tmp_path, jwk(key, "k1"))
        public = key_set(tmp_path, jwk(key.public_key(), "k1"))

        token = private.sign(jti=JTI, scopes=[], subject="Essai", issued_at=NOW, expires_at=NOW + 9)

        assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": algorithm, "kid": "k1"}
        assert private.verify(token) == public.verify(token) == Claims(JTI)
        with pytest.raises(WrongSettings, match="OCTROI_JWT__KEYS"):
            public.sign(jti=JTI, scopes=[], subject="Essai", issued_at=NOW, expires_at=NOW + 9)

    def test_a_public_key_is_no_secret(self, tmp_path: Path) -> None:
        """The RS/HS confusion: the public key, known to all, used as an HMAC secret."""
        keys = key_set(tmp_path, jwk(RSA.public_key(), "k1"), secret=SECRET)
        pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

        for secret in (pem, pem.strip(), json.dumps(jwk(RSA.public_key(), "k1"))):
            refused(keys, signed(claims(), {"kid": "k1"}, secret=secret))
            refused(keys, signed(claims(), {}, secret=secret))

    def test_an_algorithm_of_the_same_family_is_not_that_of_the_key(self, tmp_path: Path) -> None:
        keys = key_set(tmp_path, jwk(RSA, "k1"))

        for algorithm in ("RS512", "PS256"):
            refused(keys, jwt.encode(claims(), RSA, algorithm, headers={"kid": "k1"}))

    def test_a_key_is_not_tried_for_another(self, tmp_path: Path) -> None:
        keys = key_set(tmp_path, jwk(RSA, "k1"), jwk(EC, "k2"))

        refused(keys, jwt.encode(claims(), RSA, "RS256", headers={"kid": "k2"}))
        refused(keys, jwt.encode(claims(), RSA, "RS256"))
        assert keys.verify(jwt.encode(claims(), EC, "ES256", headers={"kid": "k2"})).jti == JTI

    def test_keys_are_rotated_by_adding_one_before(self, tmp_path: Path) -> None:
        old = key_set(tmp_path, jwk(ED, "2025"), secret=SECRET)
        issued = old.sign(jti=JTI, scopes=[], subject="Essai", issued_at=NOW, expires_at=NOW + 9)

        new = key_set(tmp_path, jwk(EC, "2026"), jwk(ED.public_key(), "2025"), secret=SECRET)

        assert new.verify(issued).jti == new.verify(signed(claims())).jti == JTI
        reissued = new.sign(jti=JTI, scopes=[], subject="Essai", issued_at=NOW, expires_at=NOW + 9)
        assert jwt.get_unverified_header(reissued)["kid"] == "2026"

    def test_a_symmetric_key_may_have_a_kid(self, tmp_path: Path) -> None:
        keys = key_set(tmp_path, {"kty": "oct", "k": b64(SECRET), "kid": "s"})

        assert keys.verify(signed(claims(), {"kid": "s"})).jti == JTI
        refused(keys, signed(claims()))

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            ({"kty": "oct", "k": b64("short"), "kid": "a"}, "32 bytes"),
            ({"kty": "oct", "k": "", "kid": "a"}, "cannot be read"),
            ({"kty": "oct", "k": b64(SECRET)}, "no `kid`"),
            ({"kty": "oct", "k": b64(SECRET), "kid": "a", "alg": "HS512"}, "is not for"),
            ({"kty": "oct", "k": b64(SECRET), "kid": "a", "use": "enc"}, "not for signatures"),
            (jwk(rsa.generate_private_key(65537, 1024), "a"), "2048 bits"),
            (jwk(ec.generate_private_key(ec.SECP384R1()), "a"), "is not for"),
            ({"kty": "RSA", "kid": "a", "n": "AQ"}, "cannot be read"),
            ({"kty": ["RSA"], "kid": "a"}, "is not for"),
            ("text", "not an object"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_key_that_will_not_do_is_refused_at_the_start(self, tmp_path: Path, key: Any, reason: str) -> None:
        with pytest.raises(WrongSettings, match=f"OCTROI_JWT__KEYS: key 2 .*{reason}") as caught:
            key_set(tmp_path, jwk(ED, "good"), key)

        assert b64(SECRET) not in str(caught.value)

    def test_every_problem_of_a_set_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(WrongSettings) as caught:
            key_set(tmp_path, jwk(ED, "a"), jwk(EC, "a"), "text")

        assert len(caught.value.problems) == 2

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys":1}', '{"keys":[]}', "\x00"])
    def test_a_file_that_is_no_key_set_is_refused_at_the_start(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "keys.json"
        path.write_text(content)

        with pytest.raises(WrongSettings, match="OCTROI_JWT__KEYS"):
            Keys.load(JwtSettings(keys=path), tmp_path, now)

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(WrongSettings, match=r"OCTROI_JWT__KEYS: cannot read .*absent\.json"):
            Keys.load(JwtSettings(keys=tmp_path / "absent.json"), tmp_path, now)


class TestSecrets:
    @pytest.mark.parametrize("secret", ["", "short", "x" * 31])
    def test_a_short_secret_is_refused_at_the_start(self, secret: str) -> None:
        with pytest.raises(ValueError, match="32 bytes"):
            JwtSettings(secret=secret)

    def test_with_nothing_configured_a_secret_for_development_is_made_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        data_dir = tmp_path / "octroi"

        token = Keys.load(JwtSettings(), data_dir, now).sign(
            jti=JTI, scopes=[], subject="Essai", issued_at=NOW, expires_at=NOW + 9
        )

        assert Keys.load(JwtSettings(), data_dir, now).verify(token).jti == JTI
        assert (data_dir / "jwt.secret").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in data_dir.iterdir()] == ["jwt.secret"]

    def test_workers_that_start_together_agree_on_it(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            loaded = list(pool.map(lambda _: Keys.load(JwtSettings(), tmp_path, now), range(8)))

        token = loaded[0].sign(jti=JTI, scopes=[], subject="Essai", issued_at=NOW, expires_at=NOW + 9)
        assert all(keys.verify(token).jti == JTI for keys in loaded)
        assert [path.name for path in tmp_path.iterdir()] == ["jwt.secret"]

    def test_a_secret_that_others_can_read_or_that_is_short_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "jwt.secret"
        path.write_text("x" * 40)
        path.chmod(0o644)
        with pytest.raises(WrongSettings, match="others may read"):
            Keys.load(JwtSettings(), tmp_path, now)

        path.write_text("short")
        path.chmod(0o600)
        with pytest.raises(WrongSettings, match="32 bytes"):
            Keys.load(JwtSettings(), tmp_path, now)


class TestMemory:
    def test_a_token_is_judged_once(self, keys: Keys) -> None:
        verified = VerifiedTokens(keys)
        token = signed(claims()).encode()

        first, second = verified.claims(token), verified.claims(token)

        assert first == Claims(JTI)
        assert second is first
        assert verified.claims(token + b"x") is None
        assert verified.claims(token + b"x") is None

    def test_no_token_is_kept(self, keys: Keys) -> None:
        verified = VerifiedTokens(keys)
        token = signed(claims()).encode()
        verified.claims(token)
        verified.claims(b"eyJ.junk")

        assert all(len(mark) == 16 for memory in (verified._claims, verified._refused) for mark in memory)
        assert VerifiedTokens(keys)._digest.digest() != verified._digest.digest()

    def test_a_flood_of_forgeries_drives_no_honest_token_out(self, keys: Keys) -> None:
        verified = VerifiedTokens(keys, capacity=2, refused_capacity=4)
        token = signed(claims()).encode()
        first = verified.claims(token)

        for number in range(50):
            assert verified.claims(b"forgery %d" % number) is None

        assert verified.claims(token) is first
        assert len(verified._refused) == 2  # the older half of what it may hold was forgotten at once

    def test_it_holds_so_many_and_no_more(self, keys: Keys) -> None:
        verified = VerifiedTokens(keys, capacity=4)

        for number in range(5):
            assert verified.claims(signed(claims(sub=str(number))).encode()) is not None

        assert len(verified._claims) in (1, 2)

    def test_a_token_whose_hour_has_not_come_is_not_remembered_as_false(self, tmp_path: Path) -> None:
        moment = [NOW - 100.0]
        verified = VerifiedTokens(Keys.load(JwtSettings(secret=SECRET), tmp_path, lambda: moment[0]))
        token = signed(claims(nbf=NOW)).encode()
        assert verified.claims(token) is None

        moment[0] = float(NOW)

        assert verified.claims(token) is not None


class TestWhereATokenMayBe:
    @pytest.mark.parametrize(
        ("authorization", "api_key", "query", "token"),
        [
            ([b"Bearer abc"], b"def", b"token=ghi", b"abc"),
            ([], b"def", b"token=ghi", b"def"),
            ([], b"", b"context=a&token=ghi&object=b", b"ghi"),
            ([], b"", b"context=token", b""),
            ([], b"", b"", b""),
            ([b"Bearer "], b"def", b"", b"def"),
            ([b"Bearer"], b"def", b"", b"def"),
            ([b"bearer abc"], b"", b"token=ghi", b"ghi"),
            ([b"BEARER abc"], b"", b"", b""),
            ([b"FuBearer abc"], b"", b"", b""),
            ([b"Beer abc"], b"", b"", b""),
            ([b"Basic abc"], b"def", b"", b"def"),
            ([b"Bearer\xc2\xa0abc"], b"", b"", b""),
            ([b"Bearer\tabc"], b"", b"", b""),
            ([], b"", b"token=", b""),
            ([], b"", b"token=&token=ghi", b"ghi"),
            ([], b"", b"%74oken=g%68i", b"ghi"),
            ([], b"", b"Token=ghi&token[]=x", b""),
        ],
    )
    def test_the_first_place_that_is_not_empty_wins(
        self, authorization: list[bytes], api_key: bytes, query: bytes, token: bytes
    ) -> None:
        assert find_token(authorization, api_key, query, allow_query=True) == token

    @pytest.mark.parametrize(
        ("authorization", "api_key", "query"),
        [
            ([b"Bearer junk"], b"{}", b"token={}"),
            ([b"Bearer  {}"], b"", b""),
            ([b"Bearer {}, Bearer {}"], b"", b""),
            ([b"Bearer {},{}"], b"", b""),
            ([b"Bearer {}", b"Bearer {}"], b"", b""),
            ([b"Basic a", b"Bearer {}"], b"{}", b"token={}"),
            ([], b"{},{}", b"token={}"),
            ([], b"", b"token={}&token={}"),
            ([], b"", b"token=junk&token={}"),
        ],
    )
    def test_junk_sends_nobody_looking_further(
        self, keys: Keys, authorization: list[bytes], api_key: bytes, query: bytes
    ) -> None:
        token = signed(claims()).encode()
        put = [header.replace(b"{}", token) for header in authorization]

        found = find_token(put, api_key.replace(b"{}", token), query.replace(b"{}", token), allow_query=True)

        assert found
        refused(keys, found)

    def test_the_query_may_be_closed_to_tokens(self) -> None:
        assert find_token([], b"", b"token=abc", allow_query=False) == b""
        assert find_token([], b"def", b"token=abc", allow_query=False) == b"def"

    def test_what_stands_for_several_is_no_token(self, keys: Keys) -> None:
        refused(keys, AMBIGUOUS)

    @given(st.binary(max_size=200))
    def test_a_query_of_any_bytes_is_read(self, query: bytes) -> None:
        assert isinstance(find_token([], b"", query, allow_query=True), bytes)


class TestMasking:
    @pytest.mark.parametrize(
        ("query", "masked"),
        [
            ("", ""),
            ("context=a&object=b", "context=a&object=b"),
            ("context=a&token=SECRET&object=b", "context=a&token=***&object=b"),
            ("token=SECRET", "token=***"),
            ("a=1;token=SECRET", "a=1;token=***"),
            ("%74oken=SECRET", "%74oken=***"),
            ("+token=SECRET", "+token=***"),
            ("Token=SECRET&token[]=SECRET&token=SECRET", "Token=***&token[]=***&token=***"),
            ("jeton=eyJhbGciOiJIUzI1NiJ9.e30.c2ln&a=b", "jeton=***&a=b"),
            ("a=b&token", "a=b&token"),
        ],
    )
    def test_a_query_is_logged_without_its_token(self, query: str, masked: str) -> None:
        assert mask_token(query) == masked

    @given(st.text(max_size=100))
    def test_whatever_stands_around_it(self, text: str) -> None:
        token = signed(claims())

        assert token not in mask_token(f"{text}&token={token}&{text}")
