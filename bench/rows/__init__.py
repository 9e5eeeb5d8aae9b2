"""The rows, in the order of their running. A row is a module that has a `ROW`."""

from importlib import import_module

from bench.row import Row

#: The contract's seven, then what else is worth watching.
NAMES = (
    "callback_intake",
    "intake_and_credit",
    "status_read",
    "initiate_overhead",
    "pushes_under_way",
    "more_processes",
    "live_delay",
    "sync_repair",
    "history_page",
    "idle_memory",
    "start_time",
    "import_time",
)


def row(name: str) -> Row:
    """A row by its name."""
    found: Row = import_module(f"bench.rows.{name}").ROW
    return found
