"""Each seeded bug turns its tests red: that the tests can fail is itself tested."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.plugins.prove import Proof
from tests.sabotage.bugs import SOURCE, Bug, BugDoesNotFit, all_bugs

BUGS = all_bugs()
#: How often a test may try to see a bug.
SEEDS = 3
Red = Callable[..., set[str]]


@pytest.fixture
def turned_red(tmp_path: Path, request: pytest.FixtureRequest) -> Red:
    """Plants a bug, runs the tests it names, and returns those that failed in their call.

    A property that draws its examples may need luck to meet a rare mistake: one that stayed green is tried again, with
    other examples.
    """

    def run(bug: Bug, seeds: int = SEEDS) -> set[str]:
        copy = bug.plant(tmp_path)
        red: set[str] = set()
        for seed in range(seeds):
            if red < set(bug.red):
                red |= run_once(bug, copy, sorted(set(bug.red) - red), seed)
        return red

    def run_once(bug: Bug, copy: Path, tests: list[str], seed: int) -> set[str]:
        report = tmp_path / "report.xml"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment |= {
            "PYTHONPATH": str(copy),
            "KAUNTA_SABOTAGE_COPY": str(copy),
            "KAUNTA_SABOTAGE_SQL": bug.sql,
            "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis"),
        }
        if not bug.in_the_schema:
            # Asked for here and not as an argument: what uses a database is run again on every other PostgreSQL.
            environment["KAUNTA_TEST_DATABASES"] = json.dumps(asdict(request.getfixturevalue("databases")))
        command = [sys.executable, "-m", "pytest", "-p", "tests.sabotage.guard", "-p", "no:cacheprovider", "-q"]
        ended = subprocess.run(
            [*command, "--share=all", f"--hypothesis-seed={seed}", f"--junitxml={report}", *tests],
            env=environment,
            cwd=SOURCE.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode in (0, 1), f"{bug.name} kept the tests from running:\n{ended.stdout}{ended.stderr}"
        return failed_in(report)

    return run


def failed_in(report: Path) -> set[str]:
    """The test functions with a failed call, as `tests/x/test_y.py::test_z`; an error in a set-up is not one."""
    red = set()
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None:
            red.add(case.attrib["classname"].replace(".", "/") + ".py::" + case.attrib["name"].partition("[")[0])
    return red


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.quick], ids=lambda bug: bug.name)
def test_a_seeded_bug_turns_its_tests_red(bug: Bug, turned_red: Red) -> None:
    assert turned_red(bug) == set(bug.red)


@pytest.mark.prove
@pytest.mark.parametrize("bug", [bug for bug in BUGS if not bug.quick], ids=lambda bug: bug.name)
def test_every_seeded_bug_turns_its_tests_red(bug: Bug, turned_red: Red, proof: Proof) -> None:
    assert turned_red(bug) == set(bug.red)
    proof(f"seeded bug: {bug.name.replace('_', ' ')} ({bug.about})", f"{len(bug.red)} turned red")


def test_every_seeded_bug_fits_the_program_as_it_is_now() -> None:
    assert [bug.name for bug in BUGS if bug.file and not bug.mistaken()] == []


def test_a_bug_whose_text_is_not_there_once_is_refused() -> None:
    for text in ("no such line", "import"):
        with pytest.raises(BugDoesNotFit, match="not once"):
            Bug("x", "", ("t",), file="core/clock.py", find=text, replace="").mistaken()


def test_a_change_that_breaks_nothing_turns_nothing_red(turned_red: Red) -> None:
    red = "tests/core/test_embedded_postgres.py::test_a_folder_with_other_things_in_it_is_refused"
    line = "There is no PostgreSQL to start"
    harmless = Bug("x", "", (red,), file="core/postgres_binaries.py", find=line, replace="No PostgreSQL to start")
    assert turned_red(harmless, seeds=1) == set()
