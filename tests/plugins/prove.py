"""`make prove`: the tests with full numbers, and the page of figures that they leave behind.

A test marked `prove` runs only under `--share=proofs`, where Hypothesis also tries many more examples, and a test that
asks for `full_numbers` runs with its full ones. What such a test measured it hands to the fixture `proof`; the run that
leads the others writes docs/reference/proof.md.
"""

import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from kaunta.core.clock import EAT, Clock

PAGE = Path(__file__).parents[2] / "docs/reference/proof.md"
#: Examples a property is tried with: in every run, and in the full one.
EXAMPLES, EXAMPLES_PROVED = 100, 500
FIGURE = "proof"

# A database example is slower than Hypothesis likes, and a fixture shared by examples is what we mean.
QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
# What decides whether a change is taken decides alike each time; the proofs and the soak look where nobody looked.
settings.register_profile("test", max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=QUIET)
# Where a seeded bug is to turn a property red, the first failing example is as good as the smallest.
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
settings.register_profile("all", max_examples=EXAMPLES, phases=UNSHRUNK, deadline=None, suppress_health_check=QUIET)
settings.register_profile("prove", max_examples=EXAMPLES_PROVED, deadline=None, suppress_health_check=QUIET)

Proof = Callable[[str, object], None]


@dataclass
class Findings:
    """What the run saw: a figure a name, and an outcome a test."""

    figures: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--share",
        choices=("ordinary", "proofs", "all"),
        default="ordinary",
        help="ordinary: all but the proofs; proofs: these and every property, with full numbers; all: what is named",
    )
    parser.addoption("--proof-page", action="store_true", help="write docs/reference/proof.md from this run")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile({"ordinary": "test", "proofs": "prove", "all": "all"}[config.getoption("share")])
    config.pluginmanager.register(Recorder(config), "kaunta-proof-recorder")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each run has its own share of the tests."""
    share = config.getoption("share")
    chosen: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        proof = item.get_closest_marker("prove") is not None
        is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        # What takes a smaller number in the ordinary run takes its full one here.
        has_more = "full_numbers" in getattr(item, "fixturenames", ())
        wanted = {"ordinary": not proof, "proofs": proof or is_property or has_more, "all": True}[share]
        (chosen if wanted else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = chosen


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Proof:
    """Keeps a figure for the page: `proof("kills survived without a lost callback", 24)`."""

    def keep(name: str, figure: object) -> None:
        request.node.user_properties.append((FIGURE, [name, str(figure)]))

    return keep


@pytest.fixture
def full_numbers(request: pytest.FixtureRequest) -> bool:
    """Whether this is the full run, for a test that takes a smaller number otherwise."""
    return bool(request.config.getoption("share") == "proofs")


class Recorder:
    """Listens to the outcomes; under xdist those of every worker arrive at the leading process."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.findings = Findings()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome == "failed":
            self.findings.outcomes[report.nodeid] = report.outcome
        # After every part of a test: a fixture may have measured something while it was taken down.
        for kind, value in report.user_properties:
            if kind == FIGURE and isinstance(value, list):
                name, figure = value
                self.findings.figures[name] = figure

    def pytest_sessionfinish(self) -> None:
        if self.config.getoption("proof_page") and not hasattr(self.config, "workerinput"):
            PAGE.parent.mkdir(parents=True, exist_ok=True)
            PAGE.write_text(page(self.findings), encoding="utf-8")


def page(findings: Findings) -> str:
    """The page as Markdown: when, on what, the figures, each proof with its outcome."""
    when = Clock().now().astimezone(EAT)
    passed = sum(outcome == "passed" for outcome in findings.outcomes.values())
    lines = [
        "# Proof",
        "",
        "Written by `make prove`, which runs every property and every proof with full numbers. Do not edit.",
        "",
        f"- When: {when:%Y-%m-%d %H:%M} EAT",
        f"- On: Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"- Examples a property: {EXAMPLES_PROVED:,}",
        f"- Proofs: {len(findings.outcomes)}, passed: {passed}",
        "",
        "## Figures",
        "",
        "| What | Figure |",
        "|---|---|",
        *(f"| {name} | {figure} |" for name, figure in sorted(findings.figures.items())),
        "",
        "## Proofs",
        "",
        "| Test | Outcome |",
        "|---|---|",
        *(f"| `{node}` | {outcome} |" for node, outcome in sorted(findings.outcomes.items())),
    ]
    return "\n".join(lines) + "\n"
