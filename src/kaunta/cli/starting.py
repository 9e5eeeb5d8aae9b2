"""What `serve` and `worker` refuse at start-up: everything that is missing or wrong, all at once, each with its remedy.

`kaunta diagnose` looks at more, and says more; this is what nobody may run with.
"""

from typing import TYPE_CHECKING

from kaunta.cli.output import Exit, refuse

if TYPE_CHECKING:
    from kaunta.settings import Settings

DATABASE_BEHIND = "The database is behind. Run `kaunta db upgrade`."


def checked(*needs: str) -> "Settings":
    """The settings, or exit 6 with the whole list. The keys and the callback address are looked at even where
    something else is wrong."""
    from kaunta.core.errors import ConfigurationError
    from kaunta.core.vault import Keyring
    from kaunta.diagnostics.environment import read
    from kaunta.diagnostics.keys import other_faults
    from kaunta.settings import Missing, load, present

    lines: list[str] = []
    try:
        found = load(needs=needs)
    except Missing as missing:
        lines, found = list(missing.lines), read(present()).settings
    if found.keys is not None:
        try:
            Keyring.parse(found.keys.get_secret_value())
        except ConfigurationError as error:
            lines.append(error.detail)
    lines += [one.line for one in other_faults(present())]
    if not any(line.startswith("KAUNTA_PUBLIC_URL") for line in lines):
        lines += callback_address(found)
    if lines:
        refuse(Exit.CONFIGURATION, "\n".join(lines))
    return found


def callback_address(found: "Settings") -> list[str]:
    """In production, an address that Safaricom would not call back: every payment would stay unanswered."""
    from kaunta.daraja.requests import CallbackUrlRefused, check_callback_url
    from kaunta.settings import Mode

    if found.mode is not Mode.PRODUCTION:
        return []
    try:
        check_callback_url(f"{found.public_url}/cb/", "production")
    except CallbackUrlRefused as refused:
        return [
            f"KAUNTA_PUBLIC_URL: Safaricom would not call back there ({refused.reason}). Write a public https origin "
            "whose name has none of the words that Safaricom forbids."
        ]
    return []


async def check_database(found: "Settings") -> None:
    """Refuse a database that is behind, that may forget what it committed, or of which nothing opens with our keys."""
    from kaunta.core.db import connect
    from kaunta.core.durability import forgetful_settings, is_embedded
    from kaunta.core.migrate import state_on
    from kaunta.core.vault import Keyring
    from kaunta.diagnostics.keys import nothing_opens

    if found.database_url is None or found.keys is None:
        raise RuntimeError("checked() has looked for both")
    url = (found.database_direct_url or found.database_url).get_secret_value()
    async with connect(url) as db:
        schema = await state_on(db)
        lines = [] if schema.up_to_date else [DATABASE_BEHIND]
        if schema.up_to_date and await is_embedded(db):
            refuse(
                Exit.REFUSED,
                "This is the embedded PostgreSQL of `kaunta demo` and the tests; `serve` needs a server of its own.\n"
                "Install PostgreSQL 15 or newer and point KAUNTA_DATABASE_URL at it; `kaunta init` helps.",
            )
        lines += [
            f"PostgreSQL runs with {setting} = off: a payment acknowledged to Safaricom could be forgotten. "
            "Switch it on."
            for setting in await forgetful_settings(db)
        ]
        if schema.up_to_date:
            ring = Keyring.parse(found.keys.get_secret_value())
            lines += [f"{one.detail} {one.remedy}" for one in await nothing_opens(db, ring)]
    if lines:
        refuse(Exit.CONFIGURATION, "\n".join(lines))
