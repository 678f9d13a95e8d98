"""The audit trail: one row a request, a partition a month."""

from audit import schema
from gateway.migrations import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table; its months are made by whoever writes to it."""
    run_script(schema.CREATE)


def downgrade() -> None:
    """Drop the table, if it is empty."""
    run_script(schema.DROP)
