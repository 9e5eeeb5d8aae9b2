"""Filters of the history that a person keeps under a name: for themselves, at the bar where they kept them.

What is kept is the address's query that our own code wrote. No whole phone number is kept, in a name or in a filter: it
would stand in clear where everything else about a phone is sealed.
"""

import re
from urllib.parse import unquote_plus
from uuid import UUID

from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, NotFound
from kaunta.core.redaction import LONG_NUMBER, UUID_SHAPE
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import saved_views as queries
from kaunta.payments.queries.saved_views import SavedView

__all__ = ["LONGEST_NAME", "MOST_VIEWS", "NoSuchView", "SavedView", "ViewRefused", "forget", "keep", "views_of"]

LONGEST_NAME = 40
#: What a person still finds something in; at one bar.
MOST_VIEWS = 20


class ViewRefused(BadRequest):
    """This cannot be kept as a view."""

    status = 422
    code = "view_refused"


class NoSuchView(NotFound):
    """You have no such view at this bar."""

    code = "no_such_view"


async def views_of(rt: Runtime, bar_id: UUID, account_id: UUID) -> list[SavedView]:
    """One person's views at one bar, by name."""
    async with rt.db.acquire() as db:
        return await queries.views_of(db, bar_id, account_id)


def holds_number(text: str) -> bool:
    """Whether a phone, or an id that holds one, is in it; signs that nobody sees hide none. A person's id is none."""
    return LONG_NUMBER.search(re.sub(UUID_SHAPE, "", "".join(ch for ch in text if ch.isprintable()))) is not None


async def keep(rt: Runtime, bar_id: UUID, account_id: UUID, name: str, query: str) -> UUID:
    """Keep a filter's query under a name. Raises `ViewRefused`, `NoSuchView` for whoever is not at this bar."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ViewRefused(f"A view’s name has 1 to {LONGEST_NAME} characters.")
    if not name.isprintable():
        raise ViewRefused("The name holds a character that nobody can see.")
    if not query:
        raise ViewRefused("There is no filter to keep. Set one first.")
    if holds_number(name) or holds_number(unquote_plus(query)):
        raise ViewRefused("A phone number is not kept in a view. Take it out, and search for it when it is needed.")
    id_ = rt.entropy.uuid()
    async with transaction(rt.db) as db:
        if not await queries.lock_person(db, bar_id, account_id):
            raise NoSuchView
        if await queries.count(db, bar_id, account_id) >= MOST_VIEWS:
            raise ViewRefused(f"You have {MOST_VIEWS} views at this bar. Delete one first.")
        if not await queries.insert(db, id_, bar_id, account_id, name, query, rt.clock.now()):
            raise ViewRefused("You have a view of that name. Take another name, or delete that view first.")
    return id_


async def forget(rt: Runtime, bar_id: UUID, account_id: UUID, view_id: UUID) -> None:
    """Delete one of one's own views. Raises `NoSuchView`."""
    async with transaction(rt.db) as db:
        if not await queries.delete(db, bar_id, account_id, view_id):
            raise NoSuchView
