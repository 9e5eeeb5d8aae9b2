"""A new bar, with nothing but its name: credentials, menu and people come after."""

import re
from uuid import UUID

from kaunta.bars import queries
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.errors import BadRequest, Conflict

SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])*")


class SlugTaken(Conflict):
    """Another bar has this short name already. Choose another with --slug."""

    code = "slug_taken"


def slug_of(name: str) -> str:
    """A short name for URLs: `Mama Njeri's Bar` → `mama-njeris-bar`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("'", "").replace("’", "")).strip("-")[:60].strip("-")


async def add_bar(
    db: Connection, clock: Clock, name: str, *, slug: str | None = None, business_name: str | None = None, by: str
) -> UUID:
    """Add a bar in the caller's transaction. Raises `BadRequest`, `SlugTaken`."""
    slug = slug or slug_of(name)
    if not SLUG.fullmatch(slug) or len(slug) > 60:
        raise BadRequest("A bar's short name has small letters, digits and single dashes, at most 60.")
    if not 1 <= len(name) <= 120:
        raise BadRequest("A bar's name has 1 to 120 characters.")
    bar_id = await queries.insert_bar(db, slug, name, business_name)
    if bar_id is None:
        raise SlugTaken
    await audit(db, clock, by, "bar.added", "bar", bar_id, bar_id=bar_id, slug=slug)
    return bar_id
