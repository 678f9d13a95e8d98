"""The audit trail is searched by RNA too."""

from audit import schema
from gateway.migrations import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Index what was asked about associations."""
    run_script(schema.INDEX_RNA)


def downgrade() -> None:
    """Search without it."""
    run_script("DROP INDEX audit_records_by_rna")
