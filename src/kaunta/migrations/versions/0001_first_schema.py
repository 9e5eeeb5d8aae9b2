"""The first schema: bars, credentials, tabs, payments, history, guards, roles."""

from kaunta.core.migrate import run_sql_folder

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql_folder("0001")


def downgrade() -> None:
    raise RuntimeError("the first schema has no way back: drop the database instead")
