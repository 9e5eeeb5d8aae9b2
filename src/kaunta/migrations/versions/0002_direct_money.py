"""Direct and missing money, refunds, statements; people with second factors."""

from kaunta.core.schema_upgrade import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql("0002")


def downgrade() -> None:
    raise RuntimeError("there is no way back from here: restore the backup that was made before the upgrade")
