"""YAML files people write for the simulator, read so that every complaint names the line it is about.

Only plain YAML is taken: mappings, lists, texts, numbers, true, false and null; no tags, no anchors, no keys twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from re import Pattern

import yaml


class BadFile(ValueError):
    """A file that cannot be understood; the message begins with `file:line:`."""

    def __init__(self, source: str, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(f"{source}:{line}: {problem}")


@dataclass(frozen=True, slots=True)
class Written:
    """A value and the line it stands on. `value` is a dict or list of `Written`, or a plain text, number or None."""

    source: str
    line: int
    value: object
    #: Lines of the keys of a mapping.
    keys: Mapping[str, int] = field(default_factory=dict)
    #: What stands in the file, for a plain value.
    raw: str = ""

    def wrong(self, problem: str) -> BadFile:
        return BadFile(self.source, self.line, problem)

    @property
    def plain(self) -> object:
        """The value without its lines, as JSON would have it."""
        match self.value:
            case dict():
                return {name: each.plain for name, each in self.entries("object").items()}
            case list():
                return [each.plain for each in self.members("list")]
            case _:
                return self.value

    def entries(self, what: str, allowed: tuple[str, ...] | None = None) -> "dict[str, Written]":
        """The mapping's entries; raises `BadFile` for anything else, and for a key that is not `allowed`."""
        if not isinstance(self.value, dict):
            raise self.wrong(f"{what} is a mapping (key: value)")
        for name in self.value:
            if allowed is not None and name not in allowed:
                raise BadFile(self.source, self.keys[name], f"{what} has no {name!r}; it may have {', '.join(allowed)}")
        return self.value

    def fields(self, what: str, allowed: tuple[str, ...], needed: tuple[str, ...] = ()) -> "Fields":
        """The mapping as fields, of which the `needed` ones are there."""
        given = self.entries(what, allowed)
        for name in needed:
            if name not in given:
                raise self.wrong(f"{name} is missing")
        return Fields(self, given)

    def members(self, what: str) -> "list[Written]":
        if not isinstance(self.value, list):
            raise self.wrong(f"{what} is a list (lines that begin with -)")
        return self.value

    def text(self, what: str) -> str:
        """A text. A whole number counts as one, digit by digit: PINs and shortcodes are written without quotes."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int) or self.value == "":
            raise self.wrong(f"{what} is a text")
        return self.raw

    def number(self, what: str) -> float:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or not isfinite(value):
            raise self.wrong(f"{what} is a number, 0 or more")
        return value

    def whole(self, what: str) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 1:
            raise self.wrong(f"{what} is a whole number, 1 or more")
        return self.value


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping whose keys are known. What is asked for and not there is its default, None unless given."""

    written: Written
    given: Mapping[str, Written]

    def has(self, name: str) -> bool:
        return name in self.given

    def text(self, name: str) -> str | None:
        return self.given[name].text(name) if name in self.given else None

    def number(self, name: str, default: float = 0.0) -> float:
        return self.given[name].number(name) if name in self.given else default

    def whole(self, name: str, default: int = 1) -> int:
        return self.given[name].whole(name) if name in self.given else default

    def whole_or_null(self, name: str, default: int | None) -> int | None:
        if name in self.given and self.given[name].value is None:
            return None
        return self.given[name].whole(name) if name in self.given else default

    def yes(self, name: str) -> bool | None:
        if name not in self.given:
            return None
        said = self.given[name].value
        if not isinstance(said, bool):
            raise self.given[name].wrong(f"{name} is true or false")
        return said

    def plain(self, name: str) -> dict[str, object]:
        """A mapping as JSON would have it; empty where it is not given."""
        entries = self.given[name].entries(name) if name in self.given else {}
        return {key: each.plain for key, each in entries.items()}

    def matching(self, name: str, pattern: Pattern[str], what: str) -> str:
        """A text that must look like something; "" where it is not given."""
        said = self.text(name)
        if said is not None and not pattern.fullmatch(said):
            raise self.given[name].wrong(f"{name} is {what}")
        return said or ""


class Loader(yaml.SafeLoader):
    """Refuses aliases: a small file could stand for an endless one."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="anchors (* and &) are not used here", problem_mark=mark)
        return super().compose_node(parent, index)


def read(text: str, source: str) -> Written:
    """The document of a YAML text; `source` names it in complaints. Raises `BadFile`."""
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        said = " ".join(filter(None, (problem.context, problem.problem)))
        raise BadFile(source, mark.line + 1 if mark else 1, f"this is not YAML: {said}") from None
    except yaml.YAMLError as problem:
        raise BadFile(source, 1, f"this is not YAML: {problem}") from None
    except RecursionError:
        raise BadFile(source, 1, "this is not YAML: lists within lists without end") from None
    if node is None:
        raise BadFile(source, 1, "the file is empty")
    return written(node, source, Loader(""))


def written(node: yaml.Node, source: str, loader: Loader) -> Written:
    line = node.start_mark.line + 1
    match node:
        case yaml.MappingNode():
            entries, lines = {}, {}
            for key, name in keys(node, source):
                entries[name] = written(dict(node.value)[key], source, loader)
                lines[name] = key.start_mark.line + 1
            return Written(source, line, entries, lines)
        case yaml.SequenceNode():
            return Written(source, line, [written(each, source, loader) for each in node.value])
        case _:
            return Written(source, line, scalar(node, source, line, loader), raw=str(node.value))


def keys(node: yaml.MappingNode, source: str) -> Iterator[tuple[yaml.Node, str]]:
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise BadFile(source, line, "a key is a plain word")
        if key.value in seen:
            raise BadFile(source, line, f"{key.value!r} stands here twice")
        seen.add(key.value)
        yield key, key.value


def scalar(node: yaml.Node, source: str, line: int, loader: Loader) -> object:
    try:
        value = loader.construct_object(node)
    except yaml.YAMLError:
        raise BadFile(source, line, f"{node.value!r} cannot be read here; put it in quotes") from None
    if value is None or isinstance(value, str | int | float):
        return value
    # A date, say: YAML makes more of some texts than their writer meant.
    return str(node.value)
