"""A bar whose statement somebody imports, and the shorthand for doing that."""

import io
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from kaunta.core.runtime import Runtime
from kaunta.statements import importing, placing
from kaunta.statements.queries.imports import Import
from kaunta.statements.reading import read
from kaunta.statements.values import Line
from tests.support.bars import SeededBar

Importing = Callable[..., Awaitable[Import]]


@pytest.fixture
def lines_of() -> Callable[..., list[Line]]:
    """`lines_of(data)`: a file's lines."""
    return lambda data, name="": list(read(io.BytesIO(data), name).lines)


@pytest.fixture
def staged(rt: Runtime, bar: SeededBar) -> Callable[..., Awaitable[UUID]]:
    """`await staged(data)`: the file is read in; nothing counts yet."""

    async def read_in(data: bytes, *, shortcode: str | None = "174379", name: str = "statement.csv") -> UUID:
        return await importing.read_in(rt, bar.id, io.BytesIO(data), name, "operator:test", shortcode=shortcode)

    return read_in


@pytest.fixture
def imported(rt: Runtime, bar: SeededBar, staged: Callable[..., Awaitable[UUID]]) -> Importing:
    """`await imported(data)`: the file is imported and each of its lines has found its place."""

    async def take(data: bytes, **kept: str | None) -> Import:
        done = await importing.accept(rt, bar.id, await staged(data, **kept), "operator:test")
        assert await placing.place_of_import(rt, done.id, 1_000_000) == 0
        return done

    return take
