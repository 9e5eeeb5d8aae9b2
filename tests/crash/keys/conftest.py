"""A keyring of two keys, so that either may stand in front, and a recovery key."""

import pytest
from pydantic import SecretStr

from kaunta.core.entropy import Entropy
from kaunta.core.vault import generate_entry
from kaunta.settings import Settings
from tests.crash.stage import Stage
from tests.crash.steps import Crash


class KeysStage(Stage):
    """Many statements that only read: dying after one is dying before the next."""

    def places(self) -> list[tuple[list[Crash], int]]:
        if not self.full:
            return super().places()
        decisive = {(step.what, step.time) for step in self.steps if step.decisive}
        [(every, _)] = super().places()
        chosen = [each for each in every if each.when == "before" or (each.what, each.time) in decisive]
        return [(chosen, len(chosen))]


@pytest.fixture
def kind_of_stage() -> type[Stage]:
    return KeysStage


@pytest.fixture(scope="session")
def keyring_entry() -> str:
    return ",".join(generate_entry(Entropy(), name) for name in ("test", "next"))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"recovery_key": SecretStr(generate_entry(Entropy(), "r1"))})


@pytest.fixture
def turned_round(settings: Settings) -> Settings:
    """The other key in front."""
    assert settings.keys is not None
    first, second = settings.keys.get_secret_value().split(",")
    return settings.model_copy(update={"keys": SecretStr(f"{second},{first}")})
