"""Reads the seeded bugs and plants one: a copy of the program with a single mistake in it."""

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"


class BugDoesNotFit(AssertionError):
    """The program has changed and the seeded bug no longer describes it."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One mistake: a text replaced in a file under src/kaunta, or SQL run on the template database."""

    name: str
    about: str
    red: tuple[str, ...]
    file: str = ""
    find: str = ""
    replace: str = ""
    sql: str = ""
    quick: bool = False

    def __post_init__(self) -> None:
        if bool(self.file) == bool(self.sql) or not self.red:
            raise BugDoesNotFit(f"{self.name}: wants `file`, `find`, `replace` or else `sql`, and `red`")

    @property
    def in_the_schema(self) -> bool:
        """Whether a migrated database has it; else the databases of the run may be used."""
        return bool(self.sql) or self.file.startswith(("migrations/", "core/migrate.py", "core/schema_upgrade.py"))

    def mistaken(self) -> str:
        """The file's text with the mistake in it. Raises `BugDoesNotFit`."""
        text = (SOURCE / "kaunta" / self.file).read_text(encoding="utf-8")
        if text.count(self.find) != 1 or self.find == self.replace:
            raise BugDoesNotFit(f"{self.name}: the text is {text.count(self.find)} times in {self.file}, not once")
        return text.replace(self.find, self.replace)

    def plant(self, folder: Path) -> Path:
        """Copy src into `folder` with the mistake in it; returns what goes first on the path."""
        mistaken = self.mistaken() if self.file else ""
        copy = folder / "src"
        shutil.copytree(SOURCE, copy)  # with the compiled files: they spare each run a few seconds
        if self.file:
            (copy / "kaunta" / self.file).write_text(mistaken, encoding="utf-8")
        return copy


def all_bugs(folder: Path = HERE) -> list[Bug]:
    """Every entry of every `*.toml`, by name; a name given twice is an error."""
    bugs: dict[str, Bug] = {}
    for file in sorted(folder.glob("*.toml")):
        for entry in tomllib.loads(file.read_text(encoding="utf-8"))["bug"]:
            bug = Bug(**{**entry, "red": tuple(entry["red"])})
            if bug.name in bugs:
                raise BugDoesNotFit(f"{bug.name}: named twice")
            bugs[bug.name] = bug
    return list(bugs.values())
