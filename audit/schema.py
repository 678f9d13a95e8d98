"""The schema of the audit trail in PostgreSQL: one table, a partition a month.

There is no DEFAULT partition: a record without its month has it made. Places come before seals: `stream` and
`sequence` say where in which worker's stream a record was written, so that a gap can be proven.
What Octroi mints is typed; what comes from outside is text, so that no caller can make a record that does not fit.
"""

TABLE = "audit_records"

CREATE = """
CREATE TABLE audit_records (
    at timestamptz NOT NULL,
    id uuid NOT NULL,
    stream uuid NOT NULL,
    sequence bigint NOT NULL,
    request_id text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    operation_id text,
    status smallint NOT NULL,
    codes text[] NOT NULL,
    outcome text NOT NULL,
    jti text,
    habilitation uuid,
    holder_siret text,
    client_ip text,
    user_agent text NOT NULL,
    context text,
    object text,
    recipient text,
    siren text,
    siret text,
    rna text,
    provider text,
    cached boolean NOT NULL,
    duration_ms integer NOT NULL,
    api_version text,
    extra jsonb NOT NULL,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX audit_records_by_request_id ON audit_records (request_id);
CREATE INDEX audit_records_by_jti ON audit_records (jti, at) WHERE jti IS NOT NULL;
CREATE INDEX audit_records_by_habilitation ON audit_records (habilitation, at) WHERE habilitation IS NOT NULL;
CREATE INDEX audit_records_by_siren ON audit_records (siren, at) WHERE siren IS NOT NULL;
CREATE INDEX audit_records_by_siret ON audit_records (siret, at) WHERE siret IS NOT NULL;
CREATE INDEX audit_records_by_place ON audit_records (stream, sequence);
COMMENT ON TABLE audit_records IS 'One row a request, refusals and bans included. Never the token itself.';
COMMENT ON COLUMN audit_records.status IS '0: a banned client got no byte.';
COMMENT ON COLUMN audit_records.siren IS 'Of the SIRET too, where a SIRET was asked.';
COMMENT ON COLUMN audit_records.sequence IS 'Place in the stream of the worker that wrote it: a gap is a loss.';
"""

INDEX_RNA = "CREATE INDEX audit_records_by_rna ON audit_records (rna, at) WHERE rna IS NOT NULL;"
"""Came later than the table."""

DROP = """
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM audit_records) THEN
        RAISE EXCEPTION 'the audit trail holds records, which are dropped by age only'
            USING HINT = 'octroi audit purge', ERRCODE = 'restrict_violation';
    END IF;
END $$;
DROP TABLE audit_records;
"""
