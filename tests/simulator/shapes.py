"""The shape of a JSON document: its keys, the types of its values, and which named members a list has.

Two documents of one shape are read by the same program; values, and the order of keys, are left out.
"""

from typing import Any


def shape(value: Any) -> Any:
    match value:
        case dict():
            return {key: shape(inner) for key, inner in value.items()}
        case list() if value and all(isinstance(each, dict) and name_of(each) for each in value):
            return sorted((name_of(each), shape({k: v for k, v in each.items() if k == "Value"})) for each in value)
        case list():
            unlike: list[Any] = []
            for each in map(shape, value):
                if each not in unlike:
                    unlike.append(each)
            return unlike
        case _:
            return type(value).__name__


def name_of(member: dict[str, Any]) -> str:
    """The Name or Key of a list's member."""
    return str(member.get("Name") or member.get("Key") or "")


def differences(published: Any, ours: Any, *, part: bool = False, at: str = "") -> set[str]:
    """Where `ours` differs from what was published; `part`: the published one is a fragment, and we may say more."""
    if isinstance(published, dict) and isinstance(ours, dict):
        found = {f"{at}{key}: missing" for key in published.keys() - ours.keys()}
        if not part:
            found |= {f"{at}{key}: not published" for key in ours.keys() - published.keys()}
        for key in published.keys() & ours.keys():
            found |= differences(published[key], ours[key], part=part, at=f"{at}{key}.")
        return found
    said, meant = shape(published), shape(ours)
    return set() if said == meant else {f"{at.rstrip('.')}: published {said}, ours {meant}"}
