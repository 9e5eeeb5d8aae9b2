"""The pages that are made from the program, so that they cannot say anything else than it does.

`python -m tests.docs.pages` writes them all; tests/docs/test_pages.py fails while one is stale.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from kaunta.diagnostics.variables import template
from tests.docs.callers_page import callers_page
from tests.docs.codes_page import result_codes_page
from tests.docs.diagnosis_page import diagnosis_page
from tests.docs.metrics_page import metrics_page
from tests.docs.openapi_page import openapi_page
from tests.docs.runbooks_page import runbooks_page
from tests.docs.settings_page import settings_page
from tests.docs.simulator_pages import options_page, replies_page, scenarios_page, scripts_page
from tests.docs.states_page import states_page

ROOT = Path(__file__).parents[2]
GENERATED = "<!-- Made by `python -m tests.docs.pages`. Do not edit. -->\n\n"

PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/settings.md": lambda: GENERATED + settings_page(),
    "docs/reference/result-codes.md": lambda: GENERATED + result_codes_page(),
    "docs/reference/callers.md": lambda: GENERATED + callers_page(),
    "docs/reference/metrics.md": lambda: GENERATED + metrics_page(),
    "docs/runbooks/README.md": lambda: GENERATED + runbooks_page(),
    "docs/reference/states.md": lambda: GENERATED + states_page(),
    "docs/reference/simulator/scenarios.md": lambda: GENERATED + scenarios_page(),
    "docs/reference/simulator/errors-and-faults.md": lambda: GENERATED + replies_page(),
    "docs/reference/simulator/scripts.md": lambda: GENERATED + scripts_page(),
    "docs/reference/simulator/options.md": lambda: GENERATED + options_page(),
    "docs/reference/diagnosis.md": lambda: GENERATED + diagnosis_page(),
    "docs/reference/openapi.json": openapi_page,
    ".env.example": template,
}


def main() -> None:
    for name, page in PAGES.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
