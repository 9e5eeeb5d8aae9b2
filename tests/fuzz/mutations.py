"""How a good input is made bad: bytes that flip, go and come, pieces that repeat, and what has hurt readers before.

Everything follows from the random numbers given, so that an input found once can be made again from its seed.
"""

import json
import random
from collections.abc import Callable
from typing import Any

#: What has hurt readers of JSON, numbers and texts before.
TOKENS = (
    b"null", b"true", b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0", b"0.1", b"1" * 400, b"-1", b"[]", b"{}",
    b"[[[[[[[[", b'{"a":', b'"', b"\\u0000", b"\\ud800", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\xaf", b"\r\n",
    b"'; drop table tabs; --", b"${jndi:ldap://x}", b"%s%n", b"../../etc/passwd", b"=cmd|' /C calc'!A0",
    "\u202e".encode(), "\u0661\u0662".encode(), "\U0001f37a".encode(), b"9" * 5_000,
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 10**30, "", " ", "0", "0.00", "1,000", "NaN", "\x00", "\ud800", [], {}, [[]],
    {"Item": []}, {"Name": "Amount"}, "A" * 5_000, "2026-13-45", 20261301999999, "254708374149", "0x10", "١٢",
)  # fmt: skip
LONGEST = 70_000

Mutate = Callable[[random.Random, bytes], bytes]


def flip(rnd: random.Random, data: bytes) -> bytes:
    """One bit to some bytes differ."""
    out = bytearray(data or b"\x00")
    for _ in range(rnd.choice((1, 1, 1, 4, 30))):
        out[rnd.randrange(len(out))] ^= 1 << rnd.randrange(8)
    return bytes(out)


def cut(rnd: random.Random, data: bytes) -> bytes:
    """A piece is missing, often the end."""
    start = rnd.randrange(len(data) + 1)
    return data[:start] + (b"" if rnd.random() < 0.5 else data[start + rnd.randrange(1, 40) :])


def insert(rnd: random.Random, data: bytes) -> bytes:
    """Something is there that nobody wrote."""
    at = rnd.randrange(len(data) + 1)
    return data[:at] + (rnd.choice(TOKENS) if rnd.random() < 0.7 else rnd.randbytes(rnd.randrange(1, 20))) + data[at:]


def repeat(rnd: random.Random, data: bytes) -> bytes:
    """A piece comes again and again."""
    start = rnd.randrange(len(data) + 1)
    piece = data[start : start + rnd.randrange(1, 60)]
    times = rnd.choice((1, 2, 10, 500))
    return (data[:start] + piece * times + data[start:])[:LONGEST]


def overwrite(rnd: random.Random, data: bytes) -> bytes:
    """Random bytes in the place of others, or of all."""
    if rnd.random() < 0.1:
        return rnd.randbytes(rnd.randrange(300))
    start = rnd.randrange(len(data) + 1)
    return data[:start] + rnd.randbytes(rnd.randrange(1, 12)) + data[start + rnd.randrange(12) :]


def reshape(rnd: random.Random, data: bytes) -> bytes:
    """JSON that is whole, with something odd at one place of it; of what is no JSON, another cut."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return cut(rnd, data)
    places: list[tuple[Any, Any]] = []
    walk(tree, places)
    for _ in range(rnd.choice((1, 1, 2, 5))):
        if not places:
            break
        inside, key = rnd.choice(places)
        if rnd.random() < 0.2 and isinstance(inside, dict):
            inside.pop(key, None)
        else:
            inside[key] = rnd.choice(ODD)
    return json.dumps(tree).encode()[:LONGEST]


def walk(tree: Any, places: list[tuple[Any, Any]]) -> None:
    """Every place a value stands at."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        places.append((tree, key))
        walk(value, places)


MUTATIONS: tuple[Mutate, ...] = (flip, cut, insert, repeat, overwrite, reshape)


def mutated(rnd: random.Random, data: bytes) -> bytes:
    """A good input made bad, by one of these or a few."""
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        data = rnd.choice(MUTATIONS)(rnd, data)
    return data
