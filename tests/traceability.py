"""From requirement to test: docs/traceability.md, generated from the tests' markers.

`python -m tests.traceability` writes the page. The markers are read from the source, so that it is the same whatever
part of the suite is run. identifiers.toml has what the seeds require and which of it is not due yet.
"""

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/traceability.md"
IDENTIFIERS = TESTS / "identifiers.toml"
FAMILIES = {
    "SYNC": "The M-Pesa switch",
    "PAY": "Payments",
    "FIX": "Credentials and operation",
}
LAST_FAILURE = 99


@dataclass(frozen=True, slots=True)
class Required:
    """Every identifier with its few words, and the patterns of those not due yet."""

    meaning: dict[str, str]
    not_due: tuple[str, ...]

    def due(self, identifier: str) -> bool:
        return not any(fnmatchcase(identifier, pattern) for pattern in self.not_due)


@dataclass(frozen=True, slots=True)
class Proofs:
    """The tests, as `tests/x/test_y.py::test_z`, by requirement and by failure number."""

    requirements: dict[str, list[str]]
    failures: dict[int, list[str]]


def required() -> Required:
    content = tomllib.loads(IDENTIFIERS.read_text(encoding="utf-8"))
    meaning = {f"{family}-{number}": words for family in FAMILIES for number, words in content[family].items()}
    return Required(meaning, tuple(content["not_due"]))


def marks_in(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Each argument of `pytest.mark.req(...)` and `pytest.mark.failure(...)` anywhere below a node."""
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in ("req", "failure")
            and ast.unparse(call.func.value).endswith("mark")
        ):
            for argument in call.args:
                yield call.func.attr, ast.literal_eval(argument)


def tests_in(node: ast.Module | ast.ClassDef, inherited: list[tuple[str, object]]) -> Iterator[tuple[str, str, object]]:
    """Name, kind and value of each mark that a test has: its own, its class's, its module's."""
    shared = list(inherited)
    for statement in node.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark":
            shared += marks_in(statement.value)
    for statement in node.body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        own = [mark for decorator in statement.decorator_list for mark in marks_in(decorator)]
        if isinstance(statement, ast.ClassDef):
            for name, kind, value in tests_in(statement, shared + own):
                yield f"{statement.name}::{name}", kind, value
        elif statement.name.startswith("test"):
            for kind, value in shared + own:
                yield statement.name, kind, value


def proofs(folder: Path = TESTS) -> Proofs:
    """Every marked test under a folder."""
    requirements: dict[str, list[str]] = defaultdict(list)
    failures: dict[int, list[str]] = defaultdict(list)
    for file in sorted(folder.rglob("test_*.py")):
        for name, kind, value in tests_in(ast.parse(file.read_text(encoding="utf-8")), []):
            node = f"{file.relative_to(folder.parent).as_posix()}::{name}"
            found = requirements[str(value)] if kind == "req" else failures[int(str(value))]
            if node not in found:
                found.append(node)
    return Proofs(dict(requirements), dict(failures))


def row(identifier: str, words: str, tests: list[str]) -> str:
    return f"| {identifier} | {words} | {'<br>'.join(f'`{test}`' for test in tests)} |"


def page(wanted: Required, found: Proofs) -> str:
    """The page as Markdown: a table a family, what is not there yet, the failures of the earlier product."""
    lines = [
        "# From requirement to test",
        "",
        "Written by `make traceability` from the tests' markers. Do not edit.",
        "",
    ]
    for family, title in FAMILIES.items():
        lines += [f"## {title}: {family}", ""]
        mine = {name: words for name, words in wanted.meaning.items() if name.startswith(f"{family}-")}
        proved = [name for name in mine if name in found.requirements]
        if proved:
            lines += ["| Requirement | In a few words | Tests |", "|---|---|---|"]
            lines += [row(name, mine[name], found.requirements[name]) for name in proved]
            lines.append("")
        if missing := [name for name in mine if name not in found.requirements]:
            lines += ["Not yet: " + ", ".join(missing) + ".", ""]
    lines += ["## Failures of the earlier product", "", "| Failure | Tests |", "|---|---|"]
    for number, tests in sorted(found.failures.items()):
        lines.append(f"| {number} | {'<br>'.join(f'`{test}`' for test in tests)} |")
    if missing_numbers := [str(number) for number in range(1, LAST_FAILURE + 1) if number not in found.failures]:
        lines += ["", "Not yet: " + ", ".join(missing_numbers) + "."]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(required(), proofs()), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} written\n")
