"""`openapi.json` is whole and true: every call with its words, answers, refusals and examples, and the examples fit."""

import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

from kaunta.api.described.operations import OPERATIONS
from tests.docs.openapi_page import openapi_page
from tests.support.door import Served

METHODS = {"get", "post"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openapi_page())
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            assert method in METHODS
            yield f"{method.upper()} {path}", found


def examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """(where, schema, example) of everything that has one."""
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                yield f"{name} {parameter['name']}", parameter["schema"], parameter["example"]
        contents = [("body", operation.get("requestBody", {}).get("content", {}))]
        contents += [(status, response.get("content", {})) for status, response in operation["responses"].items()]
        for where, content in contents:
            for media in content.values():
                if "example" in media:
                    yield f"{name} {where}", media["schema"], media["example"]
                for code, each in media.get("examples", {}).items():
                    yield f"{name} {where} {code}", media["schema"], each["value"]
    for name, schema in document["components"]["schemas"].items():
        for each in schema.get("examples", []):
            yield name, {"$ref": f"#/components/schemas/{name}"}, each


async def test_the_program_serves_what_the_repository_shows(
    application: Served, http: aiohttp.ClientSession, document: dict[str, Any]
) -> None:
    """Made with `python -m tests.docs.pages`."""
    async with http.get("/openapi.json") as answer:
        assert await answer.json() == document


def test_every_call_is_described_whole(document: dict[str, Any]) -> None:
    found = dict(operations(document))
    assert set(found) == set(OPERATIONS)
    for name, operation in found.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert all(parameter.get("description") for parameter in operation.get("parameters", [])), name
        statuses = set(operation["responses"])
        assert statuses >= {"500", "503"}, name
        assert "422" not in statuses or "application/problem+json" in operation["responses"]["422"]["content"], name
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            if status != "304":
                assert response["content"], (name, status)
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["example"], name


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for where, schema, example in examples(document):
        whole = schema | {"components": document["components"]}
        errors = [error.message for error in jsonschema_rs.validator_for(whole).iter_errors(example)]
        assert errors == [], where
        checked += 1
    assert checked > 100


def test_every_answer_has_an_example(document: dict[str, Any]) -> None:
    for model in {operation.answer.__name__ for operation in OPERATIONS.values() if operation.answer}:
        assert document["components"]["schemas"][model]["examples"], model


def test_no_answer_is_open_to_what_is_not_written_down(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        if "properties" in schema and not name.endswith("Body") and name != "Problem":
            assert schema["additionalProperties"] is False, name
