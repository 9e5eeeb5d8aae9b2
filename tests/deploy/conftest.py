"""The command line's fixture, for the commands of a deployment; and a watch beside an application that works."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from kaunta.core.outbound import Outbound
from kaunta.deploy.rollback import Notebook
from tests.cli.conftest import installed, kaunta
from tests.deploy.watching import Watching
from tests.support.bars import SeededBar
from tests.support.door import Served

__all__ = ["installed", "kaunta"]


@pytest_asyncio.fixture
async def watching(application_with_worker: Served, bar: SeededBar, tmp_path: Path) -> AsyncIterator[Watching]:
    """Beside an application that works, with a bar that takes M-Pesa."""
    rt = application_with_worker.rt
    # What the bar is was so before the deployment.
    await rt.db.execute("update bars set created_at = created_at - interval '1 day'")
    async with Outbound() as outbound:
        yield Watching(rt, outbound, tmp_path / "runs", Notebook.of(tmp_path / "deploy", "v2"))
