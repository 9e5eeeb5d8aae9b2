"""Every kind of problem that the program can open, read from its source."""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import kaunta
from kaunta.alerts import house, payment_watch
from kaunta.diagnostics import scheduled
from kaunta.payments.vocabulary import Irregularity

SOURCE = Path(kaunta.__file__).parent


def source(module: str) -> ast.Module:
    path = SOURCE.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def constants(tree: ast.AST, pattern: str) -> set[str]:
    """The strings in a piece of source that look like this."""
    found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in found if re.fullmatch(pattern, text)}


def of_decisions() -> set[str]:
    """What the payments' decision may call for: its flags, and what it names itself."""
    named = [
        node.value
        for node in ast.walk(source("kaunta.payments.states"))
        if isinstance(node, ast.keyword) and node.arg == "problems"
    ]
    return {str(flag) for flag in Irregularity} | {kind for value in named for kind in constants(value, "[a-z_]+")}


def of_refunds() -> set[str]:
    return constants(source("kaunta.payments.refund_states"), "refund_[a-z_]+")


def of_tills() -> set[str]:
    """The one of two, where a notice about a till payment contradicts itself."""
    for node in ast.walk(source("kaunta.payments.c2b")):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "kind":
            return constants(node.value, "[a-z0-9_]+")
    raise AssertionError("the notices' kinds are not where they were")


#: Calls whose kind is only known when they run.
COMPUTED: dict[tuple[str, str], Callable[[], set[str]]] = {
    ("kaunta.payments.apply", "problem"): of_decisions,
    ("kaunta.payments.reversals", "problem"): of_refunds,
    ("kaunta.payments.c2b", "kind"): of_tills,
    ("kaunta.alerts.payment_watch", "kind"): lambda: {payment_watch.SELDOM_PAID, payment_watch.NO_CALLBACKS},
    ("kaunta.alerts.house", "kind"): lambda: set(house.GRAVITY),
    ("kaunta.diagnostics.scheduled", "KINDS[one.category]"): lambda: set(scheduled.KINDS.values()),
}


def openings() -> Iterator[tuple[str, ast.expr]]:
    """The module and the kind of each call that opens a problem."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "open_problem(" not in text:
            continue
        module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "open_problem":
                kind = node.args[2]
                if module != "kaunta.core.problems":
                    yield module, kind


def kinds_of(module: str, expression: ast.expr) -> set[str]:
    computed = COMPUTED.get((module, ast.unparse(expression)))
    if computed is not None:
        return computed()
    if isinstance(expression, ast.Constant):
        return {str(expression.value)}
    value: object = importlib.import_module(module)
    for name in ast.unparse(expression).split("."):
        value = getattr(value, name)
    assert isinstance(value, str), (module, ast.unparse(expression))
    return {str(value)}


def every_kind() -> set[str]:
    return {kind for module, expression in openings() for kind in kinds_of(module, expression)}
