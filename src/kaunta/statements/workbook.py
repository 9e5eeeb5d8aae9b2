"""An XLSX file's first sheet, row by row, in constant memory.

openpyxl keeps every shared string and an element for each row, tens of megabytes for a month of a busy till. A sheet is
a stream of XML, so it is read as one; shared strings wait on disk.
"""

import tempfile
import zipfile
import zlib
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import BinaryIO
from xml.parsers import expat

from kaunta.statements.cells import Cell
from kaunta.statements.values import StatementRefused

PIECE = 64 * 1024
#: What an archive may unpack to, bytes; a sheet of a million rows is smaller.
LARGEST = 1024**3
LONGEST_TEXT = 4_000
MOST_COLUMNS = 64
MOST_ROWS = 1_048_576
#: Formats that spreadsheets number themselves and that show a date.
DATE_FORMATS = frozenset({14, 15, 16, 17, 22, 27, 30, 36, 45, 46, 47, 50, 57})
DAMAGED = "The file is not a whole XLSX workbook. Export or download it again."


def workbook(file: BinaryIO) -> tuple[str, Iterator[tuple[int, Sequence[Cell]]]]:
    """The first sheet's title and its rows with their numbers. Raises `StatementRefused`, also while it is read."""
    try:
        archive = zipfile.ZipFile(file)
        if sum(part.file_size for part in archive.infolist()) > LARGEST:
            raise StatementRefused("The workbook unpacks to more than any statement holds.")
        title, path, epoch = first_sheet(archive)
    except (zipfile.BadZipFile, KeyError, expat.ExpatError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise StatementRefused(DAMAGED) from error
    return title, rows_of(archive, path, epoch)


def parser() -> expat.XMLParserType:
    """A parser that takes no document type: entities are how a small file becomes an endless one."""

    def refuse(*_declared: object) -> None:
        raise StatementRefused(DAMAGED)

    made = expat.ParserCreate()
    made.StartDoctypeDeclHandler = refuse
    made.buffer_text = True
    return made


def local(name: str) -> str:
    return name.rpartition(":")[2]


def elements(archive: zipfile.ZipFile, path: str) -> list[tuple[str, dict[str, str]]]:
    """Every element of one of the archive's small parts, with its attributes by their local names."""
    found: list[tuple[str, dict[str, str]]] = []
    reader = parser()
    reader.StartElementHandler = lambda name, has: found.append(
        (local(name), {local(key): value for key, value in has.items()})
    )
    reader.Parse(archive.read(path), True)
    return found


def first_sheet(archive: zipfile.ZipFile) -> tuple[str, str, datetime]:
    """Its title, its path in the archive, and the day its dates are counted from."""
    relations = {
        has["Id"]: has["Target"]
        for name, has in elements(archive, "xl/_rels/workbook.xml.rels")
        if name == "Relationship" and has.get("Type", "").endswith("/worksheet")
    }
    epoch, sheets = datetime(1899, 12, 30), []  # noqa: DTZ001 - a spreadsheet's dates have no zone
    for name, has in elements(archive, "xl/workbook.xml"):
        if name == "workbookPr" and has.get("date1904") in ("1", "true"):
            epoch = datetime(1904, 1, 1)  # noqa: DTZ001
        if name == "sheet" and has.get("id") in relations:
            sheets.append((has.get("name", ""), relations[has["id"]]))
    if not sheets:
        raise StatementRefused("The workbook has no sheet.")
    title, target = sheets[0]
    return title, target.removeprefix("/") if target.startswith("/") else f"xl/{target}", epoch


def date_styles(archive: zipfile.ZipFile) -> frozenset[int]:
    """Which cell styles show a number as a date."""
    if "xl/styles.xml" not in archive.namelist():
        return frozenset()
    dates, styles, inside = set(DATE_FORMATS), [], False
    for name, has in elements(archive, "xl/styles.xml"):
        if name == "numFmt" and is_date_format(has.get("formatCode", "")):
            dates.add(int(has["numFmtId"]))
        inside = name == "cellXfs" or (inside and name != "cellStyles")
        if inside and name == "xf":
            styles.append(int(has.get("numFmtId", 0)) in dates)
    return frozenset(index for index, is_date in enumerate(styles) if is_date)


def is_date_format(code: str) -> bool:
    """`dd/mm/yyyy hh:mm` and not `#,##0 "day"`: letters in quotes, brackets or after a backslash show as they are."""
    plain, quoted, skip = "", False, False
    for sign in code.lower():
        if skip or sign == "\\":
            skip = not skip and sign == "\\"
        elif sign == '"':
            quoted = not quoted
        elif not quoted:
            plain += sign
    return "yy" in plain or "dd" in plain or ("d" in plain and "m" in plain)


class SharedStrings:
    """The strings that cells name by number: on disk, eight bytes of memory each."""

    def __init__(self, stack: ExitStack) -> None:
        self.file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        self.starts = array("Q", [0])

    def read(self, archive: zipfile.ZipFile, path: str) -> None:
        text: list[str] = []
        depth = {"si": 0, "t": 0, "rPh": 0}

        def start(name: str, _has: object) -> None:
            if (name := local(name)) in depth:
                depth[name] += 1

        def end(name: str) -> None:
            if (name := local(name)) in depth:
                depth[name] -= 1
            if name == "si":
                self.file.write("".join(text)[:LONGEST_TEXT].encode())
                self.starts.append(self.file.tell())
                text.clear()

        def words(data: str) -> None:
            if depth["t"] and not depth["rPh"] and len(text) < LONGEST_TEXT:
                text.append(data[:LONGEST_TEXT])

        reader = parser()
        reader.StartElementHandler, reader.EndElementHandler, reader.CharacterDataHandler = start, end, words
        with archive.open(path) as source:
            while piece := source.read(PIECE):
                reader.Parse(piece, False)
        reader.Parse(b"", True)

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self.starts) - 1:
            raise StatementRefused(DAMAGED)
        self.file.seek(self.starts[number])
        return self.file.read(self.starts[number + 1] - self.starts[number]).decode()


class Sheet:
    """The rows of a sheet as its XML streams by."""

    def __init__(self, strings: SharedStrings, dates: frozenset[int], epoch: datetime) -> None:
        self.strings, self.dates, self.epoch = strings, dates, epoch
        self.ready: deque[tuple[int, Sequence[Cell]]] = deque()
        self.number = 0
        self.row: list[Cell] = []
        self.column = 0
        self.type, self.style = "n", 0
        self.text: list[str] = []
        self.taking = False
        self.phonetic = False
        self.parser = parser()
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.words

    def start(self, name: str, has: dict[str, str]) -> None:
        match local(name):
            case "row":
                self.number = int(has.get("r", self.number + 1))
                self.row, self.column = [], 0
                if self.number > MOST_ROWS:
                    raise StatementRefused("The sheet has more rows than a spreadsheet can have.")
            case "c":
                self.column = column_of(has["r"]) if "r" in has else self.column + 1
                self.type, self.style = has.get("t", "n"), int(has.get("s", 0))
                self.text.clear()
            case "v" | "t":
                self.taking = not self.phonetic
            case "rPh":
                self.phonetic = True

    def words(self, data: str) -> None:
        if self.taking and len(self.text) < LONGEST_TEXT:
            self.text.append(data[:LONGEST_TEXT])

    def end(self, name: str) -> None:
        match local(name):
            case "v" | "t":
                self.taking = False
            case "rPh":
                self.phonetic = False
            case "c" if 1 <= self.column <= MOST_COLUMNS:
                self.row.extend([None] * (self.column - len(self.row)))
                self.row[self.column - 1] = self.value("".join(self.text)[:LONGEST_TEXT])
            case "row":
                self.ready.append((self.number, self.row))

    def value(self, text: str) -> Cell:
        match self.type:
            case "s":
                return self.strings[int(text)] if text else None
            case "n" | "" if text:
                number = float(text)
                if self.style in self.dates and 0 < number < 3_000_000:
                    return self.epoch + timedelta(seconds=round(number * 86_400))
                return number
            case _:
                return text or None


def column_of(place: str) -> int:
    """3 for `C12`."""
    number = 0
    for letter in place:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - 64
    return number


def rows_of(archive: zipfile.ZipFile, path: str, epoch: datetime) -> Iterator[tuple[int, Sequence[Cell]]]:
    with ExitStack() as stack:
        stack.enter_context(archive)
        strings = SharedStrings(stack)
        number = 0
        try:
            if "xl/sharedStrings.xml" in archive.namelist():
                strings.read(archive, "xl/sharedStrings.xml")
            sheet = Sheet(strings, date_styles(archive), epoch)
            source = stack.enter_context(archive.open(path))
            while piece := source.read(PIECE):
                sheet.parser.Parse(piece, False)
                while sheet.ready:
                    number, row = sheet.ready.popleft()
                    yield number, row
            sheet.parser.Parse(b"", True)
        except (zipfile.BadZipFile, KeyError, EOFError, zlib.error, expat.ExpatError, ValueError) as error:
            raise StatementRefused(DAMAGED, number + 1 if number else None) from error
        yield from sheet.ready
