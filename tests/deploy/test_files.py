"""The files that a host is set up by: they name what exists, agree with each other and with the program's own bounds.

Docker, systemd, nginx and Caddy need not be here: the files are read as what they are, YAML, units, lines.
"""

import asyncio
import configparser
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from kaunta.cli.main import app as cli
from kaunta.core.web import HEARTBEAT_SECONDS, LONGEST_BODY
from kaunta.payments.under_way import DRAIN_SECONDS
from kaunta.settings import Settings, load, variable
from kaunta.staff.statements import LARGEST, UPLOAD
from tests.doors import routes_of
from tests.support.door import Served
from tests.tracked_files import ROOT

FILES = ROOT / "deploy"
UNITS = sorted((FILES / "systemd").glob("*.service"), key=lambda path: path.stem)
KNOWN = {variable(name) for name in Settings.model_fields}
NGINX = (FILES / "nginx.conf").read_text(encoding="utf-8")
CADDY = (FILES / "Caddyfile").read_text(encoding="utf-8")
#: Parts of an address that are somebody's right, or a secret of Safaricom's and ours; what else stands in braces is a
#: name that staff's own session is asked for.
RIGHTS = ("/cb/", "/c2b/", "/result/", "/pay/", "/p/", "/r/", "/b/{slug}/t/", "/staff/invitations/",
          "/api/payments/mpesa/callback/", "/api/payments/mpesa/status/", "/api/payments/mpesa/retry/")  # fmt: skip


class Section(configparser.RawConfigParser):
    """A unit, in which a name may stand several times and has its letters."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit(path: Path) -> Section:
    parser = Section(strict=False, interpolation=None, delimiters=("=",))
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def variables(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value.strip('"') for name, value in (line.split("=", 1) for line in lines)}


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((FILES / "compose.yaml").read_text(encoding="utf-8"))


def is_command(words: list[str]) -> bool:
    """Whether `kaunta …` is a call of this version: the words are commands, and the options are the command's own."""
    found: Any = get_command(cli)
    options = {option for parameter in found.params for option in parameter.opts}
    for word in words:
        if word.startswith("--"):
            if word not in options:
                return False
        elif hasattr(found, "commands") and word in found.commands:
            found = found.commands[word]
            options = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return not hasattr(found, "commands")


@pytest.mark.req("FIX-5.1")
@pytest.mark.failure(95)
def test_every_variable_that_is_named_is_one_that_is_read(compose: Any) -> None:
    named = variables(FILES / "kaunta.env.example").keys() | variables(FILES / "env.example").keys()
    for service in compose["services"].values():
        named |= service.get("environment", {}).keys()
    assert {name for name in named if name.startswith("KAUNTA_")} - {"KAUNTA_HOST", "KAUNTA_UPSTREAM"} <= KNOWN
    dockerfile = (FILES / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"KAUNTA_\w+", dockerfile)) <= KNOWN


@pytest.mark.req("FIX-5.1")
@pytest.mark.parametrize("name", ["kaunta.env.example", "env.example"])
def test_an_example_filled_in_is_a_production_that_starts(name: str, keyring_entry: str, compose: Any) -> None:
    given = {key: value for key, value in variables(FILES / name).items() if key.startswith("KAUNTA_")}
    if name == "env.example":
        host = given.pop("KAUNTA_HOST")
        for key, value in compose["services"]["serve"]["environment"].items():
            given[key] = re.sub(r"\$\{POSTGRES_PASSWORD[^}]*\}", "a1", value).replace(
                next(iter(re.findall(r"\$\{KAUNTA_HOST[^}]*\}", value)), "${none}"), host
            )
    secrets = ("KAUNTA_KEYS", "KAUNTA_RECOVERY_KEY", "KAUNTA_SEAL_KEY")
    assert all(given[key] == "" for key in secrets)
    settings = load(given | dict.fromkeys(secrets, keyring_entry), needs=("mode", "database_url", "keys"))
    assert settings.mode == "production"
    assert settings.trusted_proxies
    assert all(
        Path(folder).is_absolute() and Path(folder).is_relative_to("/var/lib/kaunta")
        for folder in (settings.spool_folder, settings.backup_folder or "", settings.seal_folder, settings.data_folder)
    )


def test_the_units_run_what_exists_and_may_little() -> None:
    assert [path.stem for path in UNITS] == ["kaunta", "kaunta-migrate", "kaunta-worker"]
    for path in UNITS:
        service = unit(path)["Service"]
        program, *words = shlex.split(service["ExecStart"])
        assert program == "/opt/kaunta/current/bin/kaunta"
        assert is_command(words), words
        assert service["User"] == "kaunta"
        assert service["EnvironmentFile"] == "/etc/kaunta/kaunta.env"
        assert service["StateDirectory"] == "kaunta"
        for name, value in (
            ("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("ProtectHome", "yes"), ("PrivateTmp", "yes"),
            ("PrivateDevices", "yes"), ("CapabilityBoundingSet", ""), ("UMask", "0077"),
        ):  # fmt: skip
            assert service[name] == value, (path.name, name)


def test_what_runs_on_is_started_again_and_is_given_the_time_to_end_well() -> None:
    serve, worker = unit(FILES / "systemd/kaunta.service"), unit(FILES / "systemd/kaunta-worker.service")
    assert int(serve["Service"]["TimeoutStopSec"]) > DRAIN_SECONDS
    for each in (serve, worker):
        assert each["Service"]["Restart"] == "always"
        # A wrong setting is not mended by starting again.
        assert each["Service"]["RestartPreventExitStatus"].split() == ["2", "6", "9"]
        assert each["Install"]["WantedBy"] == "multi-user.target"


def test_compose_starts_things_in_their_order_and_shows_only_the_proxy(compose: Any) -> None:
    services = compose["services"]
    assert services.keys() == {"postgres", "migrate", "serve", "worker", "caddy"}
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("serve", "worker"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert float(services[name]["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS
    assert services["caddy"]["depends_on"]["serve"]["condition"] == "service_healthy"
    assert [name for name, service in services.items() if "ports" in service] == ["caddy"]
    for name in ("migrate", "serve", "worker"):
        assert is_command(services[name]["command"]), name
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["user"] == "10001:10001"
    used = {mount.partition(":")[0] for service in services.values() for mount in service.get("volumes", ())}
    assert {name for name in used if not name.startswith(".")} == compose["volumes"].keys()
    subnet = compose["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    assert services["serve"]["environment"]["KAUNTA_TRUSTED_PROXIES"] == subnet
    assert "outside" not in services["postgres"]["networks"]


def test_no_password_stands_in_a_file(compose: Any) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|DATABASE_URL", name):
                assert "${POSTGRES_PASSWORD:?" in value


def test_the_image_is_built_from_hashes_and_runs_as_nobody_special() -> None:
    text = (FILES / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    froms = [rest for word, rest in lines if word == "FROM"]
    assert len(froms) == 2
    assert froms[0].endswith(" AS build")
    assert froms[0].startswith(froms[1]), "what is built runs on the same Python"
    installs = [rest for word, rest in lines if word == "RUN" and "/pip" in rest]
    assert len(installs) == 2
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    after = lines[[word for word, _ in lines].index("FROM", 1) :]
    words = [word for word, _ in after]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert dict(after)["USER"] == "10001:10001"
    assert is_command(yaml.safe_load(dict(after)["CMD"]))
    copied = [path for word, rest in lines if word == "COPY" and "--from" not in rest for path in rest.split()[:-1]]
    assert all((ROOT / path).exists() for path in copied)
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in kept
    assert {path.split("/")[0] for path in copied} <= {line[1:] for line in kept if line.startswith("!")}


def block(text: str, head: str) -> str:
    """What stands between the braces after a head."""
    begin = text.index(head) + len(head)
    begin, depth = text.index("{", begin) + 1, 1
    for at in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[begin:at]
    raise AssertionError(f"{head} has no end")


def megabytes(text: str) -> float:
    number, unit_ = re.fullmatch(r"(\d+)([kmMK]?)(?:iB)?", text).groups()  # type: ignore[union-attr]
    return int(number) * {"k": 1 / 1024, "m": 1, "": 1 / 1024**2}[unit_.lower()]


def test_the_proxies_have_kauntas_bounds() -> None:
    server = NGINX[NGINX.index("listen 443") :]
    general = re.findall(r"^    client_max_body_size (\w+);", server, re.MULTILINE)
    assert [megabytes(size) * 1024**2 for size in general] == [LONGEST_BODY]
    upload = block(server, f"location = {UPLOAD}")
    (size,) = re.findall(r"client_max_body_size (\w+);", upload)
    assert megabytes(size) * 1024**2 == LARGEST
    (size,) = re.findall(r"max_size (\w+)", CADDY)
    assert megabytes(size) * 1024**2 == LARGEST


def test_the_proxies_let_streams_flow_and_keep_figures_inside() -> None:
    assert "proxy_buffering off;" in block(NGINX, "location ~ /events$")
    (patience,) = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)
    assert int(patience) > 2 * HEARTBEAT_SECONDS
    assert int(patience) > DRAIN_SECONDS
    assert "return 404;" in block(NGINX, "location = /metrics")
    assert re.search(r"^\trespond /metrics 404$", CADDY, re.MULTILINE)
    assert re.search(r"^\t\tflush_interval -1$", CADDY, re.MULTILINE)


def test_the_proxies_pass_on_only_the_address_that_they_saw_and_each_request_once() -> None:
    assert re.findall(r"X-Forwarded-For (.*);", NGINX) == ["$remote_addr"]
    # Caddy replaces what came in, unless it is told to trust it.
    assert "trusted_proxies" not in CADDY
    assert "header_up X-Forwarded-For" not in CADDY
    assert "proxy_next_upstream off;" in NGINX
    assert "lb_" not in CADDY
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in NGINX


def masked_by_nginx(path: str) -> str:
    pattern = re.search(r"^    ~(\^\(\?<beginning>.*\)) \$beginning;$", NGINX, re.MULTILINE)
    assert pattern is not None
    found = re.match(pattern[1].replace("(?<", "(?P<"), path)
    return found["beginning"] if found else path


def masked_by_caddy(path: str) -> str:
    patterns = re.findall(r'request>uri regexp "(.*)" "\$1"', CADDY)
    assert len(patterns) == 2
    assert len(set(patterns)) == 1
    return re.sub(patterns[0], lambda found: found[1] or "", path)


@pytest.mark.failure(90)
async def test_no_log_of_a_proxy_holds_a_secret_of_an_address(application: Served) -> None:
    """Every route of the application that holds a right in its path, as it would be logged."""
    paths = sorted({route.path for route in routes_of(application.app.routes)})
    secret = "5ecre7" * 4
    holding = [path for path in paths if path.startswith(RIGHTS) and "{" in path]
    assert {next(right for right in RIGHTS if path.startswith(right)) for path in holding} == set(RIGHTS)
    for path in holding:
        filled = re.sub(r"\{[^}]*\}", secret, path.replace("/b/{slug}/", "/b/mama-njeri/"))
        for masked in (masked_by_nginx(filled), masked_by_caddy(f"{filled}?with={secret}"), masked_by_caddy(filled)):
            assert secret not in masked, path
            assert masked.startswith("/")
    assert masked_by_caddy("/staff/payments?phone=0708374149") == "/staff/payments"
    assert masked_by_nginx("/staff/payments") == "/staff/payments"
    assert "$request_uri" not in block(NGINX, "map $uri").join(re.findall(r"log_format.*;", NGINX))
    assert "$http_referer" not in NGINX
    # The error log quotes requests whole: nothing of a request goes there.
    assert set(re.findall(r"error_log \S+ (\w+);", NGINX)) == {"crit"}


def test_the_logs_of_nginx_are_the_masked_ones_only() -> None:
    assert set(re.findall(r"access_log \S+ ?(\w*);", NGINX)) == {"kaunta"}


def test_every_call_in_the_page_on_deploying_is_one_of_this_version() -> None:
    page = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    calls = [shlex.split(line) for line in blocks.splitlines() if line.startswith(("kaunta ", "docker compose"))]
    named = [words[1:] for words in calls if words[0] == "kaunta"]
    named += [words[words.index("serve") + 1 :] for words in calls if "serve" in words and words[0] == "docker"]
    assert len(named) > 10
    assert [words for words in named if not is_command(words)] == []
    files = re.findall(r"deploy/[\w./*-]+", blocks)
    assert [name for name in files if name != "deploy/.env" and not list(ROOT.glob(name))] == []


async def test_a_release_is_switched_to_and_back_from(tmp_path: Path) -> None:
    """The script with stand-ins for what it calls: `runuser` runs the words, `systemctl` writes them down."""
    house, tools = tmp_path / "house", tmp_path / "tools"
    tools.mkdir()
    settings = tmp_path / "settings"
    settings.write_text("KAUNTA_MODE=production\n")
    (tools / "runuser").write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/restarts\n')
    for name, code in (("old", 0), ("new", 0), ("knows-no-schema", 3)):
        program = house / "releases" / name / "bin/kaunta"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\n[ "$2" = upgrade ] || exit {code}\n')
        program.chmod(0o755)
    for tool in tools.iterdir():
        tool.chmod(0o755)

    async def release(*words: str) -> int:
        process = await asyncio.create_subprocess_exec(
            "sh", str(FILES / "kaunta-release"), *words, stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": f"{tools}:/usr/bin:/bin", "KAUNTA_HOUSE": str(house), "KAUNTA_SETTINGS": str(settings)},
        )  # fmt: skip
        return await process.wait()

    def current() -> str:
        return (house / "current").readlink().name

    assert await release("back") == 5
    assert await release("switch", "nowhere") == 5
    assert await release() == 2
    assert (await release("switch", "old"), current()) == (0, "old")
    assert await release("switch", "old") == 9
    assert (await release("switch", "new"), current()) == (0, "new")
    assert (await release("back"), current()) == (0, "old")
    assert (await release("back"), current()) == (0, "old")
    assert (await release("switch", "knows-no-schema"), current()) == (0, "knows-no-schema")
    assert (await release("switch", "new"), current()) == (0, "new")
    assert (await release("back"), current()) == (9, "new")
    restarts = (tmp_path / "restarts").read_text().splitlines()
    assert restarts == ["restart kaunta.service kaunta-worker.service"] * 6
