"""`kaunta simulator`: a stand-in for Safaricom, for development and demonstrations."""

from typing import Annotated

import typer

from kaunta.cli.output import Exit, refuse

app = typer.Typer(help="A stand-in for Safaricom's Daraja. Never in production.", no_args_is_help=True)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8001,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    auto: Annotated[
        str, typer.Option(help="What phones do by themselves: approve, cancel, ignore, person …")
    ] = "person",
    delay: Annotated[float | None, typer.Option(min=0, help="Seconds until they do it.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse what production refuses.")] = False,
    clock_factor: Annotated[float, typer.Option(min=0.1, help="How many times faster time passes.")] = 1.0,
) -> None:
    """Serve Daraja's APIs and simulated phones (at /_sim/phone) until Ctrl-C."""
    from kaunta.simulator.options import RefusedInProduction, SimulatorOptions
    from kaunta.simulator.serve import serve as run_simulator

    options = SimulatorOptions(auto=auto, delay=delay, strict=strict, clock_factor=clock_factor)
    try:
        run_simulator(
            options, host=host, port=port, ready=lambda url: print(f"{url}   phones: {url}/_sim/phone", flush=True)
        )
    except RefusedInProduction as refused:
        refuse(Exit.REFUSED, str(refused))
    except ValueError as wrong:
        refuse(Exit.USAGE, str(wrong))
    except OSError as error:
        refuse(Exit.ALREADY_RUNNING, f"Port {port} on {host} is taken ({error.strerror}). Choose another with --port.")
