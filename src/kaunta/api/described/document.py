"""`openapi.json`: what FastAPI knows of the routes, and what `operations` says of them, in one document.

It is the same for every installation, so a copy of it stands in the repository (docs/reference/openapi.json), and a
test compares the two.
"""

import inspect
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from kaunta.api.described import answers
from kaunta.api.described.operations import OPERATIONS, Operation, Who
from kaunta.core.errors import DatabaseAway, KauntaError, Unforeseen

PROBLEM = "application/problem+json"
SCHEMAS = "#/components/schemas/"
INTRODUCTION = """\
M-Pesa at the bar counter: payments that are right, provably, within a second.

Errors are `application/problem+json` (RFC 9457) with a stable `code`. Lists are read page by page: send `nextCursor` as
`cursor`, as it is. What a key may do is in its scopes. Each answer to a key tells its share of the minute in
`RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`. The addresses that Safaricom posts to are no part of
this.
"""
TAGS = {
    "payments": "Starting payments, and what became of them.",
    "webhooks": "What a bar's own programs were told.",
    "bars": "What guests may pay with.",
    "settings": "A bar's M-Pesa settings, for its owner.",
    "diagnostics": "What is wrong with the installation, for its administrators.",
    "health": "Whether it lives.",
}
SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key: `kaunta_…`, shown once when it is made."},
    "session": {"type": "apiKey", "in": "cookie", "name": "kaunta_staff", "description": "POST /staff/login"},
}
SECURED: dict[Who, list[dict[str, list[str]]]] = {
    Who.MACHINE: [{"key": []}, {"session": []}],
    Who.ADMINISTRATOR: [{"key": []}, {"session": []}],
    Who.PERSON: [{"session": []}],
}
PARAMETERS: dict[str, tuple[str, Any]] = {
    "payment_id": ("The payment, by the id that starting it answered.", answers.ID),
    "message_id": ("The message, as the list names it.", answers.ID),
    "bar_id": ("The bar.", answers.BAR),
    "barId": ("The bar. A key's own where it may be left out.", answers.BAR),
    "status": ("Only payments in these states.", ["completed"]),
    "limit": ("How many at most.", 50),
    "cursor": ("The `nextCursor` of the page before.", None),
    "Idempotency-Key": ("The same key starts one payment, however often it is sent; kept for 24 hours.", "order-1042"),
}
LIMITS: dict[str, dict[str, Any]] = {
    "RateLimit-Limit": {"description": "Requests the key may make a minute.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "How many are left.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until all are there again.", "schema": {"type": "integer"}},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of an application; made once."""
    if app.openapi_schema is None:
        app.openapi_schema = made(app)
    return app.openapi_schema


def made(app: FastAPI) -> dict[str, Any]:
    document: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        description=INTRODUCTION,
        routes=app.routes,
        tags=[{"name": name, "description": said} for name, said in TAGS.items()],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            complete(found, OPERATIONS[f"{method.upper()} {path}"])
    schemas = document["components"]["schemas"]
    for ours in ("HTTPValidationError", "ValidationError"):
        schemas.pop(ours, None)
    models: list[type[BaseModel]] = [answers.Problem]
    models += [each.answer for each in OPERATIONS.values() if each.answer is not None]
    _, definitions = models_json_schema(
        [(each, "serialization") for each in dict.fromkeys(models)], ref_template=SCHEMAS + "{model}"
    )
    document["components"] = {
        "schemas": dict(sorted((schemas | definitions["$defs"]).items())),
        "securitySchemes": SECURITY,
    }
    return document


def complete(found: dict[str, Any], known: Operation) -> None:
    """An operation with its words, its answers and its refusals."""
    found["summary"] = known.summary
    scope = f" A key needs the scope `{known.scope}`." if known.scope else ""
    found["description"] = f"{found.get('description', '').strip()}\n\nFor {known.who}.{scope}".strip()
    found["security"] = SECURED.get(known.who, [])
    for parameter in found.get("parameters", []):
        said, value = PARAMETERS[parameter["name"]]
        parameter["description"] = said
        if value is not None:
            parameter["example"] = value
    if known.body is not None:
        found["requestBody"]["content"]["application/json"]["example"] = dict(known.body)
    found["responses"] = dict(sorted(answers_of(known).items()))


def answers_of(known: Operation) -> dict[str, Any]:
    headers = {"headers": LIMITS} if known.scope else {}
    good: dict[str, Any] = {"description": HTTPStatus(known.status).phrase, **headers}
    if known.answer is not None:
        good["description"] = inspect.cleandoc(known.answer.__doc__ or "")
        good["content"] = {known.media: {"schema": {"$ref": SCHEMAS + name_of(known.answer)}}}
    else:
        good["content"] = {known.media: {"schema": {"type": "string"}}}
    found = {str(known.status): good}
    if known.answer is answers.Ready:
        # The one call whose refusal is an answer: what is in the way is what is asked for.
        found["503"] = good | {"description": "Not ready."}
    found |= {str(status): {"description": said} for status, said in known.also.items()}
    for status, errors in by_status((*known.refusals, Unforeseen, DatabaseAway)):
        content = {
            "schema": {"$ref": SCHEMAS + name_of(answers.Problem)},
            "examples": {each.code: {"value": problem_of(each)} for each in errors},
        }
        said = " ".join(f"`{each.code}`: {sentence(each)}" for each in errors)
        present = found.get(str(status), {"content": {}})
        found[str(status)] = {
            "description": said,
            **headers,
            "content": present["content"] | {PROBLEM: content},
        }
    return found


def by_status(errors: Iterable[type[KauntaError]]) -> list[tuple[int, list[type[KauntaError]]]]:
    sorted_: dict[int, dict[str, type[KauntaError]]] = {}
    for each in errors:
        sorted_.setdefault(each.status, {}).setdefault(each.code, each)
    return [(status, list(codes.values())) for status, codes in sorted(sorted_.items())]


def sentence(error: type[KauntaError]) -> str:
    return inspect.cleandoc(error.__doc__ or "")


def problem_of(error: type[KauntaError]) -> dict[str, Any]:
    """An error as it is sent, without what only the moment knows."""
    said = sentence(error)
    return {
        "type": "about:blank",
        "title": error.__doc__ or error.code,
        "status": error.status,
        "code": error.code,
        "detail": said,
        "success": False,
        "message": said,
    }


def name_of(model: type[BaseModel]) -> str:
    return model.__name__
