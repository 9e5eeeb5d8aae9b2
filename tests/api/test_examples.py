"""The examples are run, as their reader would run them: curl, Python, the editor's requests, a webhooks' receiver."""

import asyncio
import json
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.docs.pages import ROOT
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

from .conftest import Starting

EXAMPLES = ROOT / "examples"
REQUEST = re.compile(r"^(GET|POST) (\S+)\n((?:[\w-]+: .*\n)*)(?:\n(\{.*\})\n)?", re.MULTILINE)
VARIABLE = re.compile(r"\{\{([\w.]+)\}\}")
#: For a machine without curl: what the example uses of it.
CURL = f"""#!{sys.executable}
import sys
from urllib.request import Request, urlopen
words, headers, data, method, url = sys.argv[1:], {{}}, None, None, None
while words:
    word = words.pop(0)
    if word == "-X":
        method = words.pop(0)
    elif word == "-H":
        name, _, value = words.pop(0).partition(": ")
        headers[name] = value
    elif word == "-d":
        data = words.pop(0).encode()
    elif word not in ("-sS", "-f"):
        url = word
sys.stdout.write(urlopen(Request(url, data, headers, method=method), timeout=60).read().decode())
"""


@pytest.fixture
def told(application: Served, bar: SeededBar, key: dict[str, str]) -> dict[str, str]:
    """What the examples' reader fills in."""
    return {
        "KAUNTA_URL": application.url,
        "KAUNTA_TAB": bar.tab.ref,
        "KAUNTA_PHONE": "0708374149",
        "KAUNTA_KEY": key["Authorization"].removeprefix("Bearer "),
    }


async def run(simulator: Safaricom, told: Mapping[str, str], *words: str, path: str = "") -> str:
    """What a program wrote; meanwhile whatever is to happen on the phones happens."""
    environment = {**os.environ, **told, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    process = await asyncio.create_subprocess_exec(*words, env=environment, stdout=PIPE, stderr=PIPE)
    saying = asyncio.create_task(process.communicate())
    async with asyncio.timeout(120):
        while not saying.done():
            await simulator.settle()
            await asyncio.sleep(0.05)
    out, err = await saying
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_curl_example_pays_and_lists(
    told: dict[str, str], bar: SeededBar, simulator: Safaricom, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        (tmp_path / "curl").write_text(CURL)
        (tmp_path / "curl").chmod(0o755)
    ended, listed = (await run(simulator, told, str(EXAMPLES / "pay.sh"), "400", path=str(tmp_path))).splitlines()
    payment, status = ended.split()
    assert status == "completed"
    assert [each["transactionId"] for each in json.loads(listed)["transactions"]] == [payment]


async def test_the_stand_in_for_curl_does_what_curl_does(
    told: dict[str, str], bar: SeededBar, simulator: Safaricom, tmp_path: Path
) -> None:
    (tmp_path / "curl").write_text(CURL)
    (tmp_path / "curl").chmod(0o755)
    said = await run(simulator, told, str(EXAMPLES / "pay.sh"), "400", path=str(tmp_path))
    assert " completed\n" in said


async def test_the_python_example_pays_and_reads_every_page(
    told: dict[str, str], start: Starting, bar: SeededBar, simulator: Safaricom, application: Served
) -> None:
    for number in range(4):
        await start(phoneNumber=f"25470000000{number}", amount=50)
        await simulator.settle()
        await application.pushes.drain()
    said = (await run(simulator, told, sys.executable, str(EXAMPLES / "pay.py"), "400")).splitlines()
    assert said[0].split()[1] == "completed"
    assert [line.split()[1:] for line in said[1:]] == [["completed", "400"], *[["completed", "50"]] * 4]


async def test_the_editors_requests_are_answered(
    told: dict[str, str], http: aiohttp.ClientSession, simulator: Safaricom, application: Served
) -> None:
    """Sent as an editor would: variables filled in, the first answer's fields in the others."""
    text = (EXAMPLES / "kaunta.http").read_text(encoding="utf-8")
    values = {
        name: told[variable] for name, variable in re.findall(r"^@(\w+) = \{\{\$processEnv (\w+)\}\}$", text, re.M)
    }
    assert set(values) == {"url", "tab", "phone", "key"}
    found = REQUEST.findall(text)
    assert len(found) == text.count("\n### ")
    answers: list[tuple[int, Any]] = []
    for method, url, headers, body in found:
        first = answers[0][1] if answers else {}
        named = values | {f"started.response.body.{name}": str(value) for name, value in first.items()}
        filled = ["".join(named.get(part, part) for part in VARIABLE.split(each)) for each in (url, headers, body)]
        sent = dict(line.split(": ", 1) for line in filled[1].splitlines())
        async with http.request(method, filled[0], headers=sent, data=filled[2] or None) as answer:
            answers.append((answer.status, await answer.json()))
        if len(answers) == 1:
            await simulator.settle()
            await application.pushes.drain()
    # Paid in the meantime: there is nothing to try again. No worker runs here, and readiness says so.
    assert [status for status, _ in answers] == [202, 200, 409, 200, 200, 503]
    assert answers[1][1]["status"] == "completed"
