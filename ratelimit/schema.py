"""The table of bans: written once, never changed, announced to every worker."""

CREATE = """
CREATE TABLE bans (
    ip_block cidr NOT NULL CHECK (masklen(ip_block) = CASE family(ip_block) WHEN 4 THEN 32 ELSE 64 END),
    reason text NOT NULL CHECK (reason <> ''),
    banned_at timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > banned_at),
    CONSTRAINT bans_one_at_a_time
        EXCLUDE USING gist (ip_block inet_ops WITH =, tstzrange(banned_at, until) WITH &&)
);
CREATE INDEX bans_by_end ON bans (until);
COMMENT ON TABLE bans IS 'A ban is neither prolonged nor doubled, and ends by itself.';
COMMENT ON COLUMN bans.ip_block IS 'An IPv4 address, or the /64 of an IPv6 address.';

CREATE FUNCTION bans_announce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('octroi_bans', json_build_object(
        'ip', host(NEW.ip_block),
        'reason', NEW.reason,
        'banned_at_ms', CAST(round(extract(epoch FROM NEW.banned_at) * 1000) AS bigint),
        'until_ms', CAST(round(extract(epoch FROM NEW.until) * 1000) AS bigint)
    )::text);
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT ON bans FOR EACH ROW EXECUTE FUNCTION bans_announce();
"""

DROP = """
DROP TABLE bans;
DROP FUNCTION bans_announce();
"""

CHANNEL = "octroi_bans"
"""Where each new row is announced."""

INSERT = """
INSERT INTO bans (ip_block, reason, banned_at, until)
VALUES ($1, $2, to_timestamp($3), to_timestamp($4)) ON CONFLICT DO NOTHING
"""

FORGET = """
DELETE FROM bans WHERE until < least(now(), to_timestamp($1)) - make_interval(months => $2)
"""

SELECT_ACTIVE = """
SELECT host(ip_block) AS ip, reason,
    CAST(round(extract(epoch FROM banned_at) * 1000) AS bigint) AS banned_at_ms,
    CAST(round(extract(epoch FROM until) * 1000) AS bigint) AS until_ms
FROM bans WHERE until > to_timestamp($1)
"""
