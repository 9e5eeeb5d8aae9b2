"""The first schema: bars, credentials, tabs, payments, history, guards, roles, the switch's guard."""

from kaunta.core.schema_upgrade import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql("0001")
    run_sql("guard/install.sql")


def downgrade() -> None:
    raise RuntimeError("the first schema has no way back: drop the database instead")
