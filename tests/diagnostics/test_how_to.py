"""docs/how-to/diagnose.md: its commands are run, in its order, where all is well."""

from pathlib import Path

import pytest

from kaunta.core.vault import generate_entry
from tests.cli.conftest import Kaunta
from tests.diagnostics.conftest import World
from tests.docs.test_how_to import follow


@pytest.mark.req("FIX-6.5", "FIX-8.3")
async def test_the_page_on_diagnosis_does_what_it_says(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.good["KAUNTA_KEYS"]
    for name, has, mode in (
        ("this-host", key, "production"),
        ("that-host", key, "production"),
        ("development", generate_entry(world.rt.entropy, "k1"), "development"),
    ):
        limit = "" if mode == "development" else "KAUNTA_MAX_AMOUNT=70000\n"
        (tmp_path / f"{name}.env").write_text(f"KAUNTA_MODE={mode}\nKAUNTA_KEYS={has}\n{limit}")
    await follow(Kaunta(world.env, world.kaunta.said), "diagnose.md", tmp_path, monkeypatch)
