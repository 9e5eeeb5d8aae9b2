"""A script: what happens during an evening, as a YAML file of timed steps.

A file is read as a whole before anything happens, so that a mistake in its last line is told before the first step.
Each step names one thing to do (scripts_verbs.py) and when: `at`, seconds from the beginning, or `after`, seconds from
the step before. Seconds are policy seconds, as everywhere: a faster clock plays the script faster, and `settle()` plays
it to its end.
"""

from pathlib import Path

from kaunta.simulator.scripts_playing import Script, Step
from kaunta.simulator.scripts_reading import BadFile, Written, read
from kaunta.simulator.scripts_verbs import VERBS

WHEN = ("at", "after")
TOP = ("name", "says", "steps")


def read_script(path: Path) -> Script:
    """The script in a file. Raises OSError, and `BadFile` naming the line."""
    return script_from(path.read_text(encoding="utf-8"), path.name)


def script_from(text: str, source: str = "script") -> Script:
    """The script of a YAML text; `source` names it in complaints. Raises `BadFile`."""
    document = read(text, source)
    if isinstance(document.value, list):
        return Script(source, "", tuple(steps_of(document)))
    top = document.entries("a script", TOP)
    if "steps" not in top:
        raise document.wrong("a script has steps")
    name = top["name"].text("name") if "name" in top else source
    says = top["says"].text("says") if "says" in top else ""
    return Script(name, says, tuple(steps_of(top["steps"])))


def steps_of(document: Written) -> list[Step]:
    listed = document.members("steps")
    if not listed:
        raise document.wrong("there are no steps")
    steps: list[Step] = []
    before = 0.0
    for written in listed:
        step = step_of(written, before)
        before = step.at
        steps.append(step)
    # What stands first happens first where two have the same moment.
    return sorted(steps, key=lambda step: step.at)


def step_of(written: Written, before: float) -> Step:
    entries = written.entries("a step", (*WHEN, *VERBS))
    verbs = [name for name in entries if name in VERBS]
    if len(verbs) != 1:
        said = f"this one has {' and '.join(verbs)}" if verbs else "this one has none"
        raise written.wrong(f"a step does one thing of {', '.join(VERBS)}; {said}")
    if "at" in entries and "after" in entries:
        raise written.wrong("a step has at or after, not both")
    at = entries["at"].number("at") if "at" in entries else before
    if "after" in entries:
        at = before + entries["after"].number("after")
    what = entries[verbs[0]]
    try:
        do = VERBS[verbs[0]].read(what)
    except BadFile:
        raise
    except ValueError as problem:
        raise what.wrong(str(problem)) from None
    return Step(at, written.line, verbs[0], f"{verbs[0]} {short(what.plain)}", do)


def short(plain: object) -> str:
    """A step's details on one line."""
    if isinstance(plain, dict):
        return ", ".join(f"{name} {value}" for name, value in plain.items())
    return str(plain)
