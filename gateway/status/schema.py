"""What is kept of the traffic of providers once it is counted: hours, without a word of who asked what."""

CREATE = """
CREATE TABLE provider_hours (
    provider text NOT NULL,
    hour timestamptz NOT NULL,
    calls bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0,
    probes bigint NOT NULL DEFAULT 0,
    probe_failures bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, hour)
);
CREATE INDEX provider_hours_by_hour ON provider_hours (hour);
COMMENT ON TABLE provider_hours IS 'Drawn from audit_records and from pings; may be emptied, and is then counted anew.';
COMMENT ON COLUMN provider_hours.failures IS 'Calls answered 502, 503 or 504 for want of the provider.';

CREATE TABLE provider_tally (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    counted_until timestamptz NOT NULL,
    recent jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON COLUMN provider_tally.recent IS 'The last minutes: calls and failures by provider.';
"""

DROP = "DROP TABLE provider_hours; DROP TABLE provider_tally;"
