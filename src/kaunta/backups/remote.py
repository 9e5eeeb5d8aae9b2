"""Something that is fetched in pieces, read as a file: from anywhere, in constant memory, without a disk between."""

import io
from collections.abc import Callable

#: How far a first look reaches, and how far reading on grows.
FIRST, FURTHEST = 16 * 1024, 8 << 20


class Remote(io.RawIOBase):
    """`fetch(start, length)` gives exactly those bytes. Who reads on is read ahead for, twice as far each time; who
    looks somewhere else begins anew."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self.fetch, self.size, self.at = fetch, size, 0
        self.held, self.held_from, self.ahead = b"", 0, FIRST

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence])
        return self.at

    def readinto(self, into: "memoryview | bytearray") -> int:  # type: ignore[override]
        """As many bytes as there is room for, unless the end comes before."""
        wanted = min(len(into), max(0, self.size - self.at))
        done = 0
        while done < wanted:
            begin = self.at - self.held_from
            if not 0 <= begin < len(self.held):
                self.turn()
                begin = 0
            piece = self.held[begin : begin + wanted - done]
            into[done : done + len(piece)] = piece
            done += len(piece)
            self.at += len(piece)
        return done

    def turn(self) -> None:
        """Hold what lies ahead."""
        reads_on = self.held and self.at == self.held_from + len(self.held)
        self.ahead = min(self.ahead * 2, FURTHEST) if reads_on else FIRST
        self.held_from = self.at
        self.held = self.fetch(self.at, min(self.ahead, self.size - self.at))
