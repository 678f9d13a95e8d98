"""The status of providers: their traffic by the hour."""

from gateway.migrations import run_script
from gateway.status.schema import CREATE, DROP

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables; the gateway fills them from the audit trail."""
    run_script(CREATE)


def downgrade() -> None:
    """Drop them: they can be counted anew."""
    run_script(DROP)
