"""docs/reference/diagnosis.md: the checks as they are registered, and the differences that are expected."""

from kaunta.diagnostics.findings import Category, Severity
from kaunta.diagnostics.parity import BETWEEN_HOSTS, SET_IN_ONE
from kaunta.diagnostics.registry import CHECKS
from kaunta.settings import variable

INTRODUCTION = """\
# Diagnosis

What `kaunta diagnose`, `GET /api/diagnostics/mpesa` and *Settings, Diagnosis* at the counter look at, in this order
([`registry.py`](../../src/kaunta/diagnostics/registry.py)). Where a check finds what stops, those that stand on it are
not looked at and say because of which: so the first finding is the cause. [How to use it](../how-to/diagnose.md).

| Check | Topic | Category | Looks whether | Stands on |
|---|---|---|---|---|
"""

SHAPE = """\

*Stands on* names variables and what other checks give: `keyring` (`keys.form`, `keys.round_trip`), `connection`
(`db.connection`), `schema` (`db.revision`, `db.schema`), `rights` (`db.rights`).

## The object

`data` of `--json`, and the body of the API:

| Field | |
|---|---|
| `at`, `topics` | When, and what was asked for |
| `ok` | Nothing stops: no finding is an `error` or `critical` |
| `first` | The first problem, which is the cause; null where there is none |
| `findings` | `check`, `category` ({categories}), `severity` ({severities}), `detail`, `remedy`, and `subject`: which \
variable, table, bar or host. What stops comes first, then warnings, then what is well |
| `not_looked_at` | `check`, and the `cause` that must be mended first |
| `audited` | Whether the run is on the record; a database that is away cannot take it |

Exit codes: 0 nothing stops, 3 problems were found (with `--fail-level warning` from warnings on). Of a value only this
is told: whether it is set, its length, the classes of its characters, and a fingerprint under the installation's own
key.

## What two hosts may differ in

`kaunta env compare` tells every difference; these are expected and do not end with 3. Between hosts of one
installation, which have the same `KAUNTA_MODE`:

| Variable | Why it may differ |
|---|---|
"""

ENVIRONMENTS = """\

Between development and production the keys must differ, values may, and what is set in one must be set in the other,
but for the above and these:

| Variable | Why it may be set in one only |
|---|---|
"""


def diagnosis_page() -> str:
    checks = [
        f"| `{check.name}` | `{check.topic}` | {check.category} | {check.title} | "
        f"{', '.join(f'`{need}`' for need in check.needs)} |"
        for check in CHECKS
    ]
    shape = SHAPE.format(
        categories=", ".join(f"`{one}`" for one in Category), severities=", ".join(f"`{one}`" for one in Severity)
    )
    hosts = [f"| `{variable(name)}` | {why} |" for name, why in BETWEEN_HOSTS.items()]
    more = [f"| `{variable(name)}` | {why} |" for name, why in SET_IN_ONE.items() if name not in BETWEEN_HOSTS]
    return (
        INTRODUCTION
        + "\n".join(checks)
        + "\n"
        + shape
        + "\n".join(hosts)
        + "\n"
        + ENVIRONMENTS
        + "\n".join(more)
        + "\n"
    )
