"""The registry: habilitations and tokens.

What a worker remembers of a token is validated by `state_version`. The triggers see to it that every change takes a
higher one, whoever makes it: a hand with psql is obeyed at the next request too. Versions are microseconds since the
epoch, so that they go on rising where a backup is restored, while Redis and the workers remember what came after it.
"""

from alembic import op

from gateway.migrations import run_script

revision = "0001"
down_revision = None

SCHEMA = """
CREATE FUNCTION registry_moment() RETURNS bigint LANGUAGE sql AS
    $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

CREATE TABLE habilitations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    siret text NOT NULL CHECK (siret ~ '^[0-9]{14}$'),
    intitule text NOT NULL CHECK (intitule <> ''),
    scopes text[] NOT NULL CHECK (array_position(scopes, NULL) IS NULL),
    contacts jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(contacts) = 'array'),
    allowed_ips text[] NOT NULL DEFAULT '{}' CHECK (array_position(allowed_ips, NULL) IS NULL),
    rate_limit_per_minute integer CHECK (rate_limit_per_minute > 0),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'closed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX habilitations_by_siret ON habilitations (siret);
COMMENT ON COLUMN habilitations.allowed_ips IS 'Addresses and CIDRs; empty: from anywhere.';
COMMENT ON COLUMN habilitations.status IS 'The tokens of a closed habilitation are revoked.';

CREATE TABLE tokens (
    jti uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN ('client', 'operator')),
    habilitation_id uuid REFERENCES habilitations (id),
    operator text,
    operator_scopes text[] CHECK (array_position(operator_scopes, NULL) IS NULL),
    iat timestamptz NOT NULL,
    exp timestamptz NOT NULL CHECK (exp > iat AND isfinite(exp)),
    version text NOT NULL DEFAULT '1.0',
    mcp boolean NOT NULL DEFAULT false,
    revoked_at timestamptz CHECK (isfinite(revoked_at)),
    revocation_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    state_version bigint NOT NULL DEFAULT registry_moment(),
    CONSTRAINT tokens_of_one_kind CHECK (
        CASE kind
            WHEN 'client' THEN habilitation_id IS NOT NULL AND operator IS NULL AND operator_scopes IS NULL
            ELSE habilitation_id IS NULL AND operator IS NOT NULL AND operator_scopes IS NOT NULL
        END
    )
);
CREATE INDEX tokens_by_habilitation ON tokens (habilitation_id);
CREATE INDEX tokens_by_state_version ON tokens (state_version);
COMMENT ON TABLE tokens IS 'One row a token; its JWT is never stored. A row is revoked, never deleted.';
COMMENT ON COLUMN tokens.revoked_at IS 'In the future: a revocation that is planned.';

CREATE FUNCTION registry_touch_habilitation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON habilitations FOR EACH ROW EXECUTE FUNCTION registry_touch_habilitation();

CREATE FUNCTION registry_bump_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tokens SET state_version = state_version WHERE habilitation_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER bump AFTER UPDATE ON habilitations FOR EACH ROW EXECUTE FUNCTION registry_bump_tokens();

-- The row is locked before this runs, so that versions grow in the order of the commits.
CREATE FUNCTION registry_bump_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.state_version := greatest(OLD.state_version + 1, registry_moment());
    RETURN NEW;
END $$;
CREATE TRIGGER bump BEFORE UPDATE ON tokens FOR EACH ROW EXECUTE FUNCTION registry_bump_token();

CREATE FUNCTION registry_announce_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('octroi_registry', NEW.jti::text);
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT OR UPDATE ON tokens FOR EACH ROW EXECUTE FUNCTION registry_announce_token();

-- A worker compares versions: a row that vanished has none, and would live on in its memory.
CREATE FUNCTION registry_keep_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a token is never deleted, as the audit trail names it'
        USING HINT = 'Set tokens.revoked_at instead.', ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep BEFORE DELETE ON tokens FOR EACH ROW EXECUTE FUNCTION registry_keep_token();
"""


def upgrade() -> None:
    """Create the registry."""
    run_script(SCHEMA)


def downgrade() -> None:
    """Drop the registry, tokens included."""
    op.execute("DROP TABLE tokens, habilitations")
    for function in ("moment", "touch_habilitation", "bump_tokens", "bump_token", "announce_token", "keep_token"):
        op.execute(f"DROP FUNCTION registry_{function}")
