"""A menu as a file: the lines of a CSV become dishes, or the whole file is refused with what is wrong in which row.

Columns by their names in the first row: category, name, price, and available, which may be missing. Commas,
semicolons or tabs part them, as the spreadsheet programme of the country likes.
"""

import csv
import io
from collections.abc import Iterator

from kaunta.tabs.errors import MenuRefused
from kaunta.tabs.menus import DEAREST, MOST_ITEMS, Wanted, checked

COLUMNS = ("category", "name", "price", "available")
YES = frozenset({"", "yes", "y", "1", "true", "ndiyo"})
NO = frozenset({"no", "n", "0", "false", "hapana"})


class MenuFileRefused(MenuRefused):
    """Nothing was imported: the file needs mending first."""

    code = "menu_file_refused"

    def __init__(self, detail: str | None = None, rows: tuple[tuple[int, str], ...] = ()) -> None:
        super().__init__(detail)
        #: Row number as a spreadsheet shows it, and what is wrong there.
        self.rows = rows


def read_menu(data: bytes) -> list[Wanted]:
    """The dishes of a file, in its order. Raises `MenuFileRefused`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MenuFileRefused("This is no CSV file in UTF-8. In the spreadsheet, save it as “CSV UTF-8”.") from None
    dishes: list[Wanted] = []
    wrong: list[tuple[int, str]] = []
    seen: dict[tuple[str, str], int] = {}
    for number, cells in rows_of(text):
        try:
            dish = dish_of(cells)
            if first := seen.get(dish.key):
                raise MenuRefused(f"{dish.name} in {dish.category} stands in row {first} already.")
            seen[dish.key] = number
            dishes.append(dish)
        except MenuRefused as error:
            wrong.append((number, error.detail))
    if wrong:
        raise MenuFileRefused(rows=tuple(wrong))
    if not dishes:
        raise MenuFileRefused("There is no item in this file.")
    if len(dishes) > MOST_ITEMS:
        raise MenuFileRefused(f"A menu has at most {MOST_ITEMS} items.")
    return dishes


def rows_of(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row's number and cells by column; empty rows are passed over."""
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    try:
        columns = [cell.strip().lower() for cell in next(reader, [])]
        if missing := [name for name in COLUMNS[:3] if name not in columns]:
            raise MenuFileRefused(f"The first row names the columns; missing: {', '.join(missing)}.")
        for number, cells in enumerate(reader, 2):
            if any(cell.strip() for cell in cells):
                yield number, dict(zip(columns, map(bare, cells), strict=False))
    except csv.Error as error:
        raise MenuFileRefused(f"This is no CSV file: {error}.") from None


def bare(cell: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from taking it for a formula."""
    cell = cell.strip()
    return cell[1:] if cell[:1] == "'" and cell[1:2] in {"=", "+", "-", "@"} else cell


def dish_of(cells: dict[str, str]) -> Wanted:
    """One row's dish. Raises `MenuRefused`."""
    price = cells.get("price", "").replace(",", "").replace(" ", "")
    if not (price.isascii() and price.isdigit() and len(price) <= 9):
        raise MenuRefused(f"The price is a whole number of shillings, 1 to {DEAREST:,}.")
    word = cells.get("available", "").casefold()
    if word not in YES | NO:
        raise MenuRefused("Available is yes or no.")
    return checked(Wanted(cells.get("category", ""), cells.get("name", ""), int(price), word in YES))
