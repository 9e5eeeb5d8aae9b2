"""Pictures for docs/screens, and how they become a third as big: `python -m tests.browser.pictures FOLDER`.

A page has a few hundred colours. They are counted, the 256 most frequent become the picture's palette, and the rest
(the softened edges of letters) take the nearest of these. Nothing but the standard library is needed.
"""

import os
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from multiprocessing import Pool
from operator import add
from pathlib import Path

from playwright.async_api import Page

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_COLOURS = 256
#: Bytes of a pixel by PNG's colour type, as Chromium writes them.
PIXEL_BYTES = {2: 3, 6: 4}


async def keep(page: Page, name: str, *, whole: bool = True) -> None:
    """A picture of the page, where KAUNTA_SCREENS names a folder for them. `whole`: also of what is below the fold."""
    if folder := os.environ.get("KAUNTA_SCREENS"):
        await page.evaluate("document.fonts.ready")
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole, animations="disabled")


def shrink(picture: Path) -> None:
    """Write a picture anew, with a palette, unless it has one."""
    png = picture.read_bytes()
    if next(chunks(png))[1][9] in PIXEL_BYTES:
        picture.write_bytes(small(png))


def small(png: bytes) -> bytes:
    """The same picture with a palette."""
    width, height, rows = read(png)
    counted: Counter[bytes] = Counter()
    for row in rows:
        counted.update(row)
    palette = [colour for colour, _ in counted.most_common(MOST_COLOURS)]
    place = {colour: number for number, colour in enumerate(palette)}

    @cache
    def nearest(colour: bytes) -> int:
        return min(place.values(), key=lambda number: distance(palette[number], colour))

    lines = [bytes([place[pixel] if pixel in place else nearest(pixel) for pixel in row]) for row in rows]
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + line for line in lines), 9)
    told = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", pixels), (b"IEND", b""))
    return SIGNATURE + b"".join(chunk(kind, data) for kind, data in told)


def distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def read(png: bytes) -> tuple[int, int, list[list[bytes]]]:
    """Width, height, and each row's pixels as three bytes; what a pixel lets through is left out."""
    header = next(data for kind, data in chunks(png) if kind == b"IHDR")
    width, height, depth, colour = struct.unpack(">IIBB", header[:10])
    if depth != 8 or colour not in PIXEL_BYTES:
        raise ValueError("not a picture as Chromium writes them")
    size = PIXEL_BYTES[colour]
    raw = zlib.decompress(b"".join(data for kind, data in chunks(png) if kind == b"IDAT"))
    stride = width * size
    above, rows = bytes(stride), []
    for at in range(0, len(raw), stride + 1):
        above = unfiltered(raw[at], raw[at + 1 : at + 1 + stride], above, size)
        rows.append([above[x : x + 3] for x in range(0, stride, size)])
    return width, height, rows


def unfiltered(kind: int, line: bytes, above: bytes, size: int) -> bytes:
    """A row as it was before PNG's filter (its specification, section 9)."""
    match kind:
        case 0:
            return line
        case 1:
            made = bytearray(line)
            for channel in range(size):
                made[channel::size] = bytes([each & 255 for each in accumulate(line[channel::size])])
            return bytes(made)
        case 2:
            return bytes([each & 255 for each in map(add, line, above)])
        case _:
            made = bytearray(line)
            for x in range(len(line)):
                left, corner = (made[x - size], above[x - size]) if x >= size else (0, 0)
                made[x] = (line[x] + ((left + above[x]) >> 1 if kind == 3 else paeth(left, above[x], corner))) & 255
            return bytes(made)


def paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    by_left, by_above, by_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if by_left <= by_above and by_left <= by_corner:
        return left
    return above if by_above <= by_corner else corner


if __name__ == "__main__":
    with Pool() as workers:
        workers.map(shrink, sorted(Path(sys.argv[1]).glob("*.png")), chunksize=1)
