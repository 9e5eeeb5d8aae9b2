"""Every requirement that is due has a test, every marker names something real, and the page says so."""

from pathlib import Path

from tests.traceability import LAST_FAILURE, PAGE, page, proofs, required


def test_every_requirement_that_is_due_has_a_test() -> None:
    wanted, found = required(), proofs()
    assert [name for name in wanted.meaning if wanted.due(name) and name not in found.requirements] == []


def test_every_marker_names_a_requirement_or_failure_that_exists() -> None:
    wanted, found = required(), proofs()
    assert set(found.requirements) - set(wanted.meaning) == set()
    assert [number for number in found.failures if not 1 <= number <= LAST_FAILURE] == []


def test_every_pattern_of_what_is_not_due_still_means_something() -> None:
    wanted = required()
    for pattern in wanted.not_due:
        alone = type(wanted)(wanted.meaning, (pattern,))
        assert any(not alone.due(name) for name in wanted.meaning), pattern


def test_the_page_is_what_the_markers_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(required(), proofs()), "run `make traceability`"


def test_marks_are_read_from_functions_classes_modules_and_parameters(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    marks = "pytest.mark."
    (folder / "test_x.py").write_text(
        f"pytestmark = {marks}failure(7)\n"
        f"@{marks}req('PAY-1.1', 'PAY-P1')\nasync def test_a(): ...\n"
        f"@{marks}req('PAY-1.2')\nclass TestB:\n    def test_c(self): ...\n"
        f"@{marks}parametrize('n', [pytest.param(1, marks={marks}failure(8))])\ndef test_d(n): ...\n"
        "def helper(): ...\n"
    )
    found = proofs(folder)
    file = "tests/test_x.py"
    assert found.requirements == {
        "PAY-1.1": [f"{file}::test_a"],
        "PAY-P1": [f"{file}::test_a"],
        "PAY-1.2": [f"{file}::TestB::test_c"],
    }
    assert found.failures[7] == [f"{file}::test_a", f"{file}::TestB::test_c", f"{file}::test_d"]
    assert found.failures[8] == [f"{file}::test_d"]


def test_the_seeds_counts_are_kept() -> None:
    families = [name.partition("-")[0] for name in required().meaning]
    assert {family: families.count(family) for family in set(families)} == {"SYNC": 29, "PAY": 67, "FIX": 46}
