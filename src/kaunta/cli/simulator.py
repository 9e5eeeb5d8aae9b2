"""`kaunta simulator`: a stand-in for Safaricom, for development, tests and demonstrations.

`serve` is the simulator; every other command speaks to one that is served, wherever it is.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from kaunta.cli.output import Exit, answer, refuse
from kaunta.cli.simulator_calls import AsJson, At, DryRun, asked, script_at

app = typer.Typer(help="A stand-in for Safaricom's Daraja. Never in production.", no_args_is_help=True)
scenario = typer.Typer(help="The ways a push can go.", no_args_is_help=True)
callback = typer.Typer(help="Callbacks to the merchant.", no_args_is_help=True)
script = typer.Typer(help="Evenings as YAML files of timed steps.", no_args_is_help=True)
app.add_typer(scenario, name="scenario")
app.add_typer(callback, name="callback")
app.add_typer(script, name="script")

Readable = typer.Option(exists=True, dir_okay=False, readable=True)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8001,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    auto: Annotated[
        str | None, typer.Option(help="What phones do by themselves: approve, cancel, ignore, person … (person)")
    ] = None,
    delay: Annotated[float | None, typer.Option(min=0, help="Seconds until they do it.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse what production refuses.")] = False,
    clock_factor: Annotated[float | None, typer.Option(min=0.1, help="How many times faster time passes.")] = None,
    config: Annotated[Path | None, Readable] = None,
    script: Annotated[Path | None, Readable] = None,
) -> None:
    """Serve Daraja's APIs, simulated phones (/_sim/phone) and the console (/_sim/console) until Ctrl-C.

    --config is a YAML file with credentials, shortcodes and everything else; --script a YAML file of timed steps.
    """
    from dataclasses import replace

    from kaunta.simulator.options import RefusedInProduction, SimulatorOptions
    from kaunta.simulator.serve import serve as run_simulator

    options = SimulatorOptions(auto="person")
    given: dict[str, Any] = {"auto": auto, "delay": delay, "clock_factor": clock_factor, "strict": strict or None}
    try:
        if config is not None:
            from kaunta.simulator.options_file import read_options

            options = read_options(config, options)
        options = replace(options, **{name: value for name, value in given.items() if value is not None})
        run_simulator(
            options,
            host=host,
            port=port,
            script=script_at(script),
            ready=lambda url: print(f"{url}   phones: {url}/_sim/phone   console: {url}/_sim/console", flush=True),
        )
    except RefusedInProduction as refused:
        refuse(Exit.REFUSED, str(refused))
    except ValueError as wrong:
        refuse(Exit.USAGE, str(wrong))
    except OSError as error:
        refuse(Exit.ALREADY_RUNNING, f"Port {port} on {host} is taken ({error.strerror}). Choose another with --port.")


@scenario.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """Every scenario by name, and the phone number that always goes that way."""
    from kaunta.simulator.catalogue import ALIASES, CATALOGUE, TEST_PHONES

    numbers = {name: number for number, name in TEST_PHONES.items()}
    data = [{"name": name, "says": each.says, "phone": numbers.get(name)} for name, each in CATALOGUE.items()]
    width = max(map(len, CATALOGUE))
    lines = [f"{each['name']:<{width}}  {each['phone'] or '':<12}  {each['says']}" for each in data]
    answer({"scenarios": data, "aliases": ALIASES}, as_json=as_json, lines=lines)


@scenario.command("run")
def run_scenario(
    name: Annotated[str, typer.Argument(help="Of the catalogue: kaunta simulator scenario list.")],
    phone: Annotated[str | None, typer.Option(help="Only pushes to this phone; 12 digits.")] = None,
    times: Annotated[int, typer.Option(min=1, help="How many pushes.")] = 1,
    callback_url: Annotated[
        str | None, typer.Option(help="Push at once, without a client, and tell this address what came of it.")
    ] = None,
    amount: Annotated[int, typer.Option(min=1, help="With --callback-url: shillings.")] = 100,
    reference: Annotated[str, typer.Option(help="With --callback-url: the AccountReference.")] = "SIMULATED",
    at: At = "http://127.0.0.1:8001",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """The next push goes this way; with --callback-url, one is pushed here and now, and settled.

    Exit 3 if the merchant did not take a callback.
    """
    from kaunta.simulator.catalogue import scenario_named
    from kaunta.simulator.scenarios import UnknownScenario

    try:
        chosen = scenario_named(name).name
    except UnknownScenario as unknown:
        refuse(Exit.NOT_FOUND, str(unknown), as_json=as_json)
    if callback_url is None:
        said: dict[str, object] = {"scenario": chosen, "times": times} | ({"phone": phone} if phone else {})
        data = {"would": said} if dry_run else asked("POST", at, "/scenarios", said, as_json)
        answer(data, as_json=as_json, lines=[f"{'Would queue' if dry_run else 'Queued'}: {chosen}, {times} times."])
        return
    said = {"scenario": chosen, "phone": phone or "254708374149", "amount": amount, "reference": reference}
    said |= {"callback_url": callback_url, "settle": True}
    if dry_run:
        answer({"would": said}, as_json=as_json, lines=[f"Would push {amount} shillings as {chosen}."])
        return
    push: Any = asked("POST", at, "/pushes", said, as_json)
    attempts = [attempt for message in push["callbacks"] for attempt in message["attempts"]]
    lines = [f"{push['CheckoutRequestID']}: result {push['result']}, receipt {push['receipt'] or 'none'}"]
    lines += [f"  callback: {each['status'] or each['problem']}" for each in attempts]
    taken = all(each["status"] is not None and each["status"] < 300 for each in attempts)
    answer(push, as_json=as_json, lines=lines, ok=taken)
    if not taken:
        raise typer.Exit(Exit.FOUND_PROBLEMS)


@callback.command("send")
def send_callback(
    reference: Annotated[
        str, typer.Option("--for", help="The push: its CheckoutRequestID, AccountReference or phone; the latest.")
    ],
    result: Annotated[str | None, typer.Option(help="The ResultCode it says; its own outcome unless given.")] = None,
    text: Annotated[str | None, typer.Option(help="The ResultDesc, if not Safaricom's.")] = None,
    at: At = "http://127.0.0.1:8001",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send a callback for a push, whatever is true, once and at once. Exit 3 if the merchant did not take it."""
    said: dict[str, object] = {"reference": reference, "result": result, "text": text}
    if dry_run:
        answer({"would": said}, as_json=as_json, lines=[f"Would send {result or 'its own outcome'} for {reference}."])
        return
    data: Any = asked("POST", at, "/callbacks/for", said, as_json)
    attempt = data["attempt"]
    taken = attempt["status"] is not None and attempt["status"] < 300
    came = f"HTTP {attempt['status']}" if attempt["status"] else attempt["problem"]
    answer(data, as_json=as_json, lines=[f"{data['CheckoutRequestID']}: {came}"], ok=taken)
    if not taken:
        raise typer.Exit(Exit.FOUND_PROBLEMS)


@script.command("check")
def check_script(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], as_json: AsJson = False) -> None:
    """Read a script and say what it would do, without a simulator."""
    read = script_at(file, as_json=as_json)
    assert read is not None
    steps = [{"at": step.at, "line": step.line, "does": step.says} for step in read.steps]
    lines = [f"{step.at:>8g} s  {step.says}" for step in read.steps]
    answer({"name": read.name, "steps": steps}, as_json=as_json, lines=lines)


@script.command("run")
def run_script(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    at: At = "http://127.0.0.1:8001",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Begin a script at a served simulator; its steps happen there as time passes."""
    read = script_at(file, as_json=as_json)
    assert read is not None
    said = file.read_bytes()
    data = {"would": read.name} if dry_run else asked("POST", at, f"/scripts?name={file.stem}", said, as_json)
    answer(
        data, as_json=as_json, lines=[f"{'Would begin' if dry_run else 'Begun'}: {read.name}, {len(read.steps)} steps."]
    )


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    to: Annotated[str | None, typer.Option(help="Send everything there instead of where it went.")] = None,
    at: At = "http://127.0.0.1:8001",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send recorded callbacks again, in their order, byte for byte.

    FILE is what /_sim/exchanges or /_sim/callbacks answered, one JSON object of it a line, or a single callback's body
    (then --to is needed). Exit 3 if some were not taken, 4 if only some were.
    """
    from kaunta.simulator.recordings import Unreadable, recorded

    try:
        messages = recorded(file.read_bytes(), to)
    except Unreadable as wrong:
        refuse(Exit.USAGE, f"{file.name}: {wrong}", as_json=as_json)
    came: list[dict[str, object]] = []
    for message in messages:
        said: dict[str, object] = {"url": message.url, "body": message.body, "kind": message.kind}
        attempt: dict[str, object] = {"status": None}
        if not dry_run:
            attempt = asked("POST", at, "/callbacks", said, as_json)
        came.append({"url": message.url, "kind": message.kind} | attempt)
    taken = sum(isinstance(each["status"], int) and each["status"] < 300 for each in came)
    verb = "Would send" if dry_run else "Sent"
    lines = [f"{verb} {each['kind']}: {each['status'] or each.get('problem') or ''}".rstrip(": ") for each in came]
    ok = dry_run or taken == len(came)
    answer({"sent": came, "taken": taken}, as_json=as_json, lines=lines, ok=ok)
    if not ok:
        raise typer.Exit(Exit.PARTLY_DONE if taken else Exit.FOUND_PROBLEMS)
