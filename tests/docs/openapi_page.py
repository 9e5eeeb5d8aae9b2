"""docs/reference/openapi.json: the API's document, as the program serves it."""

import json
from types import SimpleNamespace
from typing import Any, cast

from kaunta.app import build
from kaunta.settings import load


def openapi_page() -> str:
    """The same for every installation: no setting but the mode's is looked at, and no database."""
    runtime: Any = SimpleNamespace(settings=load({"KAUNTA_MODE": "development"}), live=None)
    document = build(runtime, cast(Any, None)).openapi()
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
