"""A move that dies anywhere is taken up again, and comes to the same; or is taken back, and nothing happened."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from kaunta.adopt.apply import MovedAlready
from kaunta.adopt.switch import NothingBegun
from tests.adopt.child import CRASHED
from tests.adopt.conftest import Mover
from tests.adopt.fingerprint import fingerprint, result
from tests.plugins.databases import Databases
from tests.plugins.prove import Proof

#: A test dies this often; twenty times the second generation, which has every step that the others have.
DEATHS = 5


async def moved_by_a_child(url: str, keyring_entry: str, dies_at: int) -> tuple[int, str]:
    """Its exit code, and how many words it spoke where it lived."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.adopt.child", url, keyring_entry, str(dies_at), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    return child.returncode or 0, out.decode()


async def dies_and_is_resumed(databases: Databases, template: str, mover: Mover, keyring_entry: str, at: int) -> str:
    """A database whose move died at its `at`th word and was gone on with: what it came to."""
    async with databases.fresh(template) as url:
        code, _ = await moved_by_a_child(url, keyring_entry, at)
        assert code == CRASHED
        try:
            await mover.move(url, answers=(), resume=True)
        except NothingBegun:
            # It died before its first step was kept.
            await mover.move(url)
        except MovedAlready:
            # It died after its last.
            pass
        return repr(await result(url))


async def test_killed_half_way_and_resumed_it_comes_to_the_same(
    databases: Databases,
    old_templates: Callable[[int], str],
    database_url: str,
    mover: Mover,
    keyring_entry: str,
    generation: int,
) -> None:
    template = await asyncio.to_thread(old_templates, generation)
    expected = repr(await result(database_url))
    assert await dies_and_is_resumed(databases, template, mover, keyring_entry, 300) == expected


async def test_killed_half_way_and_undone_nothing_happened(old_url: str, mover: Mover, keyring_entry: str) -> None:
    before = await fingerprint(old_url, "public", "auth")
    code, _ = await moved_by_a_child(old_url, keyring_entry, 151)
    assert code == CRASHED
    await mover.undo(old_url)
    assert await fingerprint(old_url, "public", "auth") == before


@pytest.fixture(scope="session")
def lived(
    databases: Databases, old_templates: Callable[[int], str], keyring_entry: str
) -> Callable[[int], Awaitable[tuple[int, str]]]:
    """How many words a move of a generation speaks that is let live, and what it comes to."""
    known: dict[int, tuple[int, str]] = {}

    async def life(generation: int) -> tuple[int, str]:
        if generation not in known:
            async with databases.fresh(await asyncio.to_thread(old_templates, generation)) as url:
                _, words = await moved_by_a_child(url, keyring_entry, 0)
                known[generation] = int(words), repr(await result(url))
        return known[generation]

    return life


@pytest.mark.prove
@pytest.mark.parametrize(("generation", "part"), [(1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (3, 0)])
async def test_killed_at_random_points_it_comes_to_the_same(
    databases: Databases,
    old_templates: Callable[[int], str],
    lived: Callable[[int], Awaitable[tuple[int, str]]],
    mover: Mover,
    keyring_entry: str,
    generation: int,
    part: int,
    proof: Proof,
) -> None:
    words, expected = await lived(generation)
    points = Random(generation).sample(range(1, words + 1), 20)[part * DEATHS : (part + 1) * DEATHS]
    for point in points:
        came_to = await dies_and_is_resumed(databases, old_templates(generation), mover, keyring_entry, point)
        assert came_to == expected, f"died at {point}"
    proof(
        f"adoption: generation {generation}, killed and resumed, {part + 1}",
        f"{len(points)} deaths in {words} words, the same result",
    )
