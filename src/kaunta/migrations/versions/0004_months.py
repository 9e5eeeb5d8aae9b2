"""A month gets its partition although the table for the rest has rows of it; what opens a door is no report."""

from kaunta.core.schema_upgrade import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql("0004")


def downgrade() -> None:
    raise RuntimeError("there is no way back from here: restore the backup that was made before the upgrade")
