"""What the guest's page has said of a payment, and when."""

from kaunta.core.schema_upgrade import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql("0003")


def downgrade() -> None:
    raise RuntimeError("there is no way back from here: restore the backup that was made before the upgrade")
