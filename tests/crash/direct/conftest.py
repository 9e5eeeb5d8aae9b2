"""Direct money's stage, and the bars on it: told of payments by Safaricom, and acting through M-Pesa itself."""

import pytest
import pytest_asyncio

from tests.crash.direct.stage import DirectStage
from tests.crash.stage import Stage


@pytest.fixture
def kind_of_stage() -> type[Stage]:
    return DirectStage


@pytest_asyncio.fixture
async def till(stage: Stage) -> DirectStage:
    """Safaricom posts payments at the till, and lists them for whoever asks."""
    assert isinstance(stage, DirectStage)
    await stage.registered()
    await stage.subscribed()
    return stage


@pytest_asyncio.fixture
async def acting(stage: Stage) -> DirectStage:
    """A bar that may ask and reverse, and that nothing is posted to but what it asked for."""
    assert isinstance(stage, DirectStage)
    await stage.acting()
    return stage
