"""The bans: see `ratelimit.schema`."""

from gateway.migrations import run_script
from ratelimit.schema import CREATE, DROP

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table and what announces its rows."""
    run_script(CREATE)


def downgrade() -> None:
    """Drop them: whoever is banned goes free when Redis forgets."""
    run_script(DROP)
