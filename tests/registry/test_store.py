"""Habilitations and tokens in PostgreSQL: what may enter, and what each change does to the tokens concerned."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest

from gateway.database import Pool
from gateway.registry.rules import Unacceptable, from_epoch, months_later
from gateway.registry.store import CHANNEL, Store, Unknown
from tests.conftest import HandClock
from tests.registry.builders import SIRET, a_token, some_terms

NOBODY = "7a1d9f0e-3c52-4b7e-9a44-0d6f5b1c2e33"


class TestHabilitations:
    async def test_one_is_kept_as_it_was_given(self, store: Store) -> None:
        terms = some_terms(
            scopes=("entreprises", "etablissements"),
            contacts=({"role": "contact_technique", "name": "Fictif", "email": "fictif@example.org"},),
            allowed_ips=("192.0.2.0/24", "2001:db8::1"),
            rate_limit_per_minute=30,
        )

        created = await store.create_habilitation(terms)

        assert created.terms == terms
        assert await store.habilitation(created.id) == created

    async def test_spaces_and_repetitions_are_dropped(self, store: Store) -> None:
        created = await store.create_habilitation(
            some_terms(siret=f" {SIRET} ", intitule=" Essai ", scopes=("a", " a ", "b"), allowed_ips=(" ::1 ", "::1"))
        )

        assert created.terms == some_terms(intitule="Essai", scopes=("a", "b"), allowed_ips=("::1",))

    @pytest.mark.parametrize(
        ("changes", "field", "words"),
        [
            ({"siret": "99950000200010"}, "siret", "14 chiffres"),
            ({"siret": "999500002 00012"}, "siret", "14 chiffres"),
            ({"siret": ""}, "siret", "14 chiffres"),
            ({"intitule": "  "}, "intitule", "vide"),
            ({"scopes": ("admin:read",)}, "scopes", "opérateur"),
            ({"scopes": ("admin:all",)}, "scopes", "opérateur"),
            ({"scopes": ("",)}, "scopes", "vide"),
            ({"allowed_ips": ("192.0.2.0/33",)}, "allowed_ips", "ni une adresse ni un réseau"),
            ({"allowed_ips": ("example.org",)}, "allowed_ips", "ni une adresse ni un réseau"),
            ({"rate_limit_per_minute": 0}, "rate_limit_per_minute", "positif"),
            ({"rate_limit_per_minute": -1}, "rate_limit_per_minute", "positif"),
            ({"rate_limit_per_minute": 2**31}, "rate_limit_per_minute", "positif"),
            ({"contacts": ({"email": 1},)}, "contacts", "lisible"),
            ({"status": "draft"}, "status", "active ou closed"),
        ],
    )
    async def test_one_that_makes_no_sense_is_refused(
        self, store: Store, changes: dict[str, Any], field: str, words: str
    ) -> None:
        with pytest.raises(Unacceptable) as caught:
            await store.create_habilitation(some_terms(**changes))

        [problem] = caught.value.problems
        assert problem.field == field
        assert words in str(problem)
        assert await store.habilitations() == []

    async def test_every_problem_is_told(self, store: Store) -> None:
        with pytest.raises(Unacceptable) as caught:
            await store.create_habilitation(some_terms(siret="1", intitule="", rate_limit_per_minute=0))

        assert [problem.field for problem in caught.value.problems] == ["siret", "intitule", "rate_limit_per_minute"]

    @pytest.mark.parametrize("siret", ["35600000000048", "35600000049837", "35600000012345"])
    async def test_those_of_la_poste_are_sirets(self, store: Store, siret: str) -> None:
        assert (await store.create_habilitation(some_terms(siret=siret))).terms.siret == siret

    async def test_a_scope_that_does_not_exist_is_refused_with_the_nearest(self, pool: Pool, clock: HandClock) -> None:
        store = Store(pool, clock, known_scopes={"entreprises", "etablissements"})

        with pytest.raises(Unacceptable, match="Le plus proche est « entreprises »"):
            await store.create_habilitation(some_terms(scopes=("entreprise",)))
        with pytest.raises(Unacceptable, match="entreprises, etablissements"):
            await store.create_habilitation(some_terms(scopes=("xyz",)))

    async def test_they_are_listed_by_pages_newest_first(self, store: Store) -> None:
        ids = [(await store.create_habilitation(some_terms(intitule=str(number)))).id for number in range(5)]
        other = await store.create_habilitation(some_terms(siret="35600000000048"))

        first = await store.habilitations(siret=SIRET, limit=2)
        rest = await store.habilitations(siret=SIRET, after=first[-1].id)

        assert [row.id for row in first + rest] == ids[::-1]
        assert [row.id for row in await store.habilitations(siret=other.terms.siret)] == [other.id]

    @pytest.mark.parametrize("identifier", [NOBODY, "12", "", "' OR 1=1 --"])
    async def test_one_that_does_not_exist_is_unknown(self, store: Store, identifier: str) -> None:
        with pytest.raises(Unknown):
            await store.habilitation(identifier)
        with pytest.raises(Unknown):
            await store.update_habilitation(identifier, {"intitule": "Autre"})
        with pytest.raises(Unknown):
            await store.issue_token(identifier)

    async def test_a_change_is_judged_like_a_new_one(self, store: Store) -> None:
        habilitation = await store.create_habilitation(some_terms())

        with pytest.raises(Unacceptable, match="rate_limit_per_minute"):
            await store.update_habilitation(habilitation.id, {"rate_limit_per_minute": 0})
        with pytest.raises(Unacceptable, match="limite : Ce champ n'existe pas"):
            await store.update_habilitation(habilitation.id, {"limite": 1})
        assert await store.habilitation(habilitation.id) == habilitation


class TestTokens:
    async def test_a_token_lives_eighteen_months(self, store: Store, clock: HandClock) -> None:
        token, state = await a_token(store)

        assert token.issued_at == from_epoch(clock())
        assert token.expires_at == datetime(2027, 9, 2, 9, 0, tzinfo=UTC)
        assert state.expires_at == int(token.expires_at.timestamp())

    async def test_it_holds_what_its_habilitation_grants(self, store: Store) -> None:
        token, state = await a_token(store, allowed_ips=("192.0.2.7", "::/0"), rate_limit_per_minute=7)

        assert (token.subject, token.scopes, token.kind) == ("Marchés publics", ("entreprises",), "client")
        assert (state.jti, state.siret, state.scopes, state.rate_limit) == (token.jti, SIRET, {"entreprises"}, 7)
        assert [str(network) for network in state.allowed_networks] == ["192.0.2.7/32", "::/0"]
        assert state.habilitation_id == token.habilitation_id
        assert state.revoked_at is None
        assert await store.load_state(token.jti) == state

    async def test_the_text_of_a_token_is_nowhere_in_the_tables(self, pool: Pool, store: Store) -> None:
        await a_token(store)

        assert "eyJ" not in str([tuple(row) for row in await pool.fetch("SELECT * FROM tokens, habilitations")])

    @pytest.mark.parametrize("seconds", [0, -1, -86400])
    async def test_a_life_that_is_over_is_refused(self, store: Store, clock: HandClock, seconds: int) -> None:
        habilitation = await store.create_habilitation(some_terms())

        with pytest.raises(Unacceptable, match="expires_at : La date d'expiration est passée"):
            await store.issue_token(habilitation.id, expires_at=from_epoch(clock() + seconds))

    async def test_a_life_of_more_than_eighteen_months_is_refused(self, store: Store) -> None:
        habilitation = await store.create_habilitation(some_terms())
        latest = datetime(2027, 9, 2, 9, 0, tzinfo=UTC)

        with pytest.raises(Unacceptable, match="2027-09-02"):
            await store.issue_token(habilitation.id, expires_at=latest + timedelta(seconds=1))
        token, _ = await store.issue_token(habilitation.id, expires_at=latest)

        assert token.expires_at == latest

    async def test_a_date_without_a_zone_is_refused(self, store: Store) -> None:
        token, _ = await a_token(store)
        naive = datetime(2027, 1, 1)  # noqa: DTZ001

        with pytest.raises(Unacceptable, match="fuseau"):
            await store.issue_token(str(token.habilitation_id), expires_at=naive)
        with pytest.raises(Unacceptable, match="fuseau"):
            await store.revoke_token(token.jti, at=naive)

    async def test_a_closed_habilitation_gets_no_token(self, store: Store) -> None:
        habilitation = await store.create_habilitation(some_terms(status="closed"))

        with pytest.raises(Unacceptable, match="close"):
            await store.issue_token(habilitation.id)

    async def test_an_operator_has_scopes_of_its_own(self, store: Store) -> None:
        token, [state] = await store.issue_operator("Exploitation", ["admin:read", "admin:read"])

        assert (token.kind, token.subject, token.scopes) == ("operator", "Exploitation", ("admin:read",))
        assert (state.kind, state.habilitation_id, state.siret, state.scopes) == (
            "operator",
            None,
            None,
            {"admin:read"},
        )
        assert state.allowed_networks == ()

    @pytest.mark.parametrize(
        ("name", "scopes"), [("", ["admin:read"]), ("x", []), ("x", ["entreprises"]), ("x", ["admin:"])]
    )
    async def test_an_operator_without_a_name_or_with_other_scopes_is_refused(
        self, store: Store, name: str, scopes: list[str]
    ) -> None:
        with pytest.raises(Unacceptable):
            await store.issue_operator(name, scopes)

    async def test_they_are_listed_by_habilitation_kind_and_page(self, store: Store) -> None:
        token, _ = await a_token(store)
        second, _ = await store.issue_token(str(token.habilitation_id), mcp=True)
        operator, _ = await store.issue_operator("Exploitation", ["admin:read"])

        own = await store.tokens(habilitation_id=token.habilitation_id)
        page = await store.tokens(limit=1)

        assert own == [second, token]
        assert page == await store.tokens(kind="operator") == [operator]
        assert await store.tokens(after=operator.jti) == [second, token]
        assert second.mcp

    @pytest.mark.parametrize("jti", [NOBODY, "12"])
    async def test_one_that_does_not_exist_is_unknown(self, store: Store, jti: str) -> None:
        with pytest.raises(Unknown):
            await store.token(jti)
        with pytest.raises(Unknown):
            await store.revoke_token(jti)


class TestRevocation:
    async def test_it_holds_now(self, store: Store, clock: HandClock) -> None:
        token, before = await a_token(store)

        revoked, [state] = await store.revoke_token(token.jti, reason="divulgué")

        assert (revoked.revoked_at, revoked.revocation_reason) == (from_epoch(clock()), "divulgué")
        assert state == replace(before, version=state.version, revoked_at=int(clock()))
        assert state.version > before.version

    async def test_it_may_be_planned_and_planned_again(self, store: Store, clock: HandClock) -> None:
        token, _ = await a_token(store)
        paris = timezone(timedelta(hours=1))

        await store.revoke_token(token.jti, at=datetime(2026, 4, 1, tzinfo=paris))
        again, [state] = await store.revoke_token(token.jti, at=datetime(2026, 5, 1, tzinfo=paris))

        assert again.revoked_at == datetime(2026, 5, 1, tzinfo=paris)
        assert state.revoked_at == int(again.revoked_at.timestamp())

    async def test_one_that_holds_is_not_lifted_by_another(self, store: Store, clock: HandClock) -> None:
        token, _ = await a_token(store)
        first, _ = await store.revoke_token(token.jti, reason="divulgué")
        clock.advance(60)

        second, _ = await store.revoke_token(token.jti, at=from_epoch(clock() + 86400), reason="autre")

        assert second == first

    async def test_to_close_a_habilitation_revokes_its_tokens(self, store: Store) -> None:
        token, before = await a_token(store)

        _, [closed] = await store.update_habilitation(str(token.habilitation_id), {"status": "closed"})
        _, [open_again] = await store.update_habilitation(str(token.habilitation_id), {"status": "active"})

        assert closed.revoked_at is not None
        assert open_again.revoked_at is None
        assert before.version < closed.version < open_again.version


class TestChanges:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE habilitations SET scopes = '{autre}'",
            "UPDATE habilitations SET allowed_ips = '{192.0.2.1}'",
            "UPDATE habilitations SET rate_limit_per_minute = 1",
            "UPDATE habilitations SET status = 'closed'",
            "UPDATE tokens SET revoked_at = now()",
            "UPDATE tokens SET exp = now()",
            "UPDATE tokens SET mcp = true",
            "UPDATE tokens SET state_version = 1",
        ],
    )
    async def test_a_change_by_hand_raises_the_version_and_is_announced(
        self, pool: Pool, store: Store, statement: str
    ) -> None:
        token, before = await a_token(store)
        second, _ = await store.issue_token(str(token.habilitation_id))
        heard: asyncio.Queue[str] = asyncio.Queue()

        def hear(*told: object) -> None:
            heard.put_nowait(str(told[3]))

        async with pool.acquire() as connection:
            await connection.add_listener(CHANNEL, hear)
            await pool.execute(statement)
            announced = {await heard.get(), await heard.get()}
            await connection.remove_listener(CHANNEL, hear)

        after = await store.load_state(token.jti)
        assert announced == {token.jti, second.jti}
        assert after is not None
        assert after.version > before.version

    async def test_versions_rise_whatever_the_clock_of_the_server_does(self, pool: Pool, store: Store) -> None:
        token, state = await a_token(store)
        await pool.execute(
            "CREATE OR REPLACE FUNCTION registry_moment() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'"
        )

        _, [after] = await store.revoke_token(token.jti)

        assert after.version == state.version + 1

    async def test_a_change_of_another_habilitation_leaves_a_token_alone(self, store: Store) -> None:
        _, state = await a_token(store)
        other, _ = await a_token(store)

        _, states = await store.update_habilitation(str(other.habilitation_id), {"scopes": ("autre",)})

        assert [changed.jti for changed in states] == [other.jti]
        assert await store.load_state(state.jti) == state

    async def test_changes_at_the_same_time_end_with_the_state_of_the_highest_version(self, store: Store) -> None:
        token, _ = await a_token(store)

        changed = await asyncio.gather(
            store.revoke_token(token.jti),
            *(store.update_habilitation(str(token.habilitation_id), {"scopes": (f"s{n}",)}) for n in range(8)),
        )

        highest = max((state for _, states in changed for state in states), key=lambda state: state.version)
        assert highest == await store.load_state(token.jti)
        assert highest.revoked_at is not None

    async def test_a_token_is_never_deleted(self, pool: Pool, store: Store) -> None:
        await a_token(store)

        with pytest.raises(asyncpg.RestrictViolationError, match="never deleted"):
            await pool.execute("DELETE FROM tokens")

    async def test_the_last_changed_are_found_first(self, store: Store, clock: HandClock) -> None:
        first, _ = await a_token(store)
        second, _ = await a_token(store)
        _, [state] = await store.revoke_token(first.jti)

        changed = await store.states_changed_since(clock() - 10, limit=10)
        later = await store.states_changed_since((state.version + 1) / 1e6, limit=10)

        assert [one.jti for one in changed] == [first.jti, second.jti]
        assert later == []


@pytest.mark.parametrize(
    ("moment", "later"),
    [
        (datetime(2026, 8, 31, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2028, 6, 1, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), datetime(2029, 8, 29, tzinfo=UTC)),
    ],
)
def test_eighteen_months_later_is_the_same_day_or_the_last(moment: datetime, later: datetime) -> None:
    assert months_later(moment, 18) == later
