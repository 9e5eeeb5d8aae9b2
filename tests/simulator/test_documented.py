"""The reference says what the simulator does: its examples are asked, its tables are whole."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from kaunta.simulator.app import create_simulator
from kaunta.simulator.options_file import options_from

from .merchant import Till

FOLDER = Path(__file__).parents[2] / "docs/reference/simulator"
ASKED = re.compile(
    r"## Request\s+```\n(POST) (\S+)\n```\s+```json\n(.*?)```.*?## Answer\s+```json\n(.*?)```", re.DOTALL
)
PAGES = sorted(page.name for page in FOLDER.glob("*.md") if ASKED.search(page.read_text(encoding="utf-8")))
#: Pages and their parts, and files: no calls.
NO_CALL = re.compile(r"/_sim/(phone|console|files|$)|^/$")


def test_there_is_a_page_for_each_api() -> None:
    assert len(PAGES) == 8


@pytest.mark.parametrize("name", PAGES)
async def test_the_example_of_an_api_is_answered_as_its_page_says(till: Till, name: str) -> None:
    found = ASKED.search((FOLDER / name).read_text(encoding="utf-8"))
    assert found
    body: dict[str, Any] = json.loads(found[3])
    if "CheckoutRequestID" in body:
        body["CheckoutRequestID"] = await till.pushed()
    answer = await till.post(found[2], body)
    assert answer.status == 200
    expected: dict[str, Any] = json.loads(found[4])
    assert list(answer.json) == list(expected)
    fixed = {"ResponseCode", "ResponseDescription", "ResponseStatus", "ResultCode", "ResultDesc", "CustomerMessage"}
    assert {key: answer.json[key] for key in fixed & set(expected)} == {
        key: expected[key] for key in fixed & set(expected)
    }


def test_every_call_of_the_control_interface_is_in_its_table_and_every_row_is_a_call() -> None:
    rows = re.findall(r"^\| `([A-Z]+) (/_sim/[^`]*)` \|", (FOLDER / "control-interface.md").read_text("utf-8"), re.M)
    calls = {
        (method, re.sub(r":int}", "}", route.path))
        for route in create_simulator(environ={}).routes
        if isinstance(route, Route) and not NO_CALL.match(route.path) and route.path.startswith("/_sim")
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert set(rows) == calls


def test_the_example_of_the_options_can_be_read() -> None:
    example = re.search(r"```yaml\n(.*?)```", (FOLDER / "options.md").read_text("utf-8"), re.DOTALL)
    assert example
    assert options_from(example[1], "simulator.yaml").shortcodes[0].till == "600222"
