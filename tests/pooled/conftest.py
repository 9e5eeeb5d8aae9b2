"""Everything here runs through PgBouncer in transaction mode, set up as docs/how-to/pgbouncer.md has it."""

import pytest
from pydantic import SecretStr

from kaunta.core.entropy import Entropy
from kaunta.core.vault import generate_entry
from kaunta.settings import Settings, load
from tests.cli.conftest import Kaunta
from tests.crash.forks import environment
from tests.support.pooler import Pooler, pooler

__all__ = ["pooler"]


@pytest.fixture
def settings(settings: Settings, pooler: Pooler) -> Settings:
    """The test's settings, through the pooler: more connections of ours than it has to the server."""
    found = settings.model_copy(
        update={
            "database_url": SecretStr(pooler.url),
            "database_direct_url": SecretStr(pooler.direct),
            "database_statement_cache": False,
        }
    )
    assert found.is_pooled
    return found


@pytest.fixture
def kaunta(settings: Settings, pooler: Pooler) -> Kaunta:
    """The commands, with the settings of these tests."""
    told = {"KAUNTA_DATABASE_DIRECT_URL": pooler.direct, "KAUNTA_DATABASE_STATEMENT_CACHE": "false"}
    told |= {"KAUNTA_RECOVERY_KEY": generate_entry(Entropy(), "r1")}
    found = Kaunta(environment(settings) | told)
    assert load(found.environment).is_pooled
    return found
