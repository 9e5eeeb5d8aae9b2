"""docs/runbooks/README.md, from the pages that the program ships."""

from kaunta.alerts.runbooks import kinds, title_of

INTRODUCTION = """\
# Runbooks

What to do about each kind of alert. The same pages are at the counter under *Alerts → What to do*, and every message
links to its own. How alerts reach people: [alerts](../how-to/alerts.md).

**Maintenance**: [rotate the keys](rotate-keys.md), [the restore drill](restore-drill.md), [upgrade](upgrade.md),
[move to another host](move-hosts.md).

| What the alert says | Kind |
|---|---|
"""


def runbooks_page() -> str:
    rows = sorted((title_of(kind), kind) for kind in kinds())
    lines = [f"| [{title}](../../src/kaunta/runbooks/{kind}.md) | `{kind}` |\n" for title, kind in rows]
    return INTRODUCTION + "".join(lines)
