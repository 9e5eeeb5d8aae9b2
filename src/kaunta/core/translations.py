"""The words in other languages: gettext catalogues, read as they are written.

The message ids are the English sentences, so English needs no catalogue. A `.po` file is read at start and kept;
there is no compiled file that could be forgotten. `python -m kaunta.core.translations check` compares the
catalogues with the sentences the guests' pages use, and fails on one that is missing or fuzzy; `update` merges new
sentences into them.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

#: English, whose sentences are the message ids, and the languages that have a catalogue.
LANGUAGES = ("en", "sw")

PACKAGE = Path(__file__).parent.parent
LOCALE = PACKAGE / "locale"

#: `N_` marks a sentence that is looked up later, when the guest's language is known.
KEYWORDS = {"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}


def po_file(lang: str) -> Path:
    return LOCALE / lang / "LC_MESSAGES" / "kaunta.po"


def read_catalogue(lang: str) -> Catalog:
    """The catalogue of one language as it stands in its file."""
    with po_file(lang).open("rb") as file:
        return read_po(file, locale=lang, domain="kaunta", abort_invalid=True)


@cache
def load(lang: str) -> NullTranslations:
    """The translations of one of `LANGUAGES`; a sentence without one stays English. A fuzzy one is not used."""
    if lang not in LANGUAGES[1:]:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, read_catalogue(lang))
    compiled.seek(0)
    return GNUTranslations(compiled)


def sentences() -> Iterator[tuple[str, int, str | tuple[str, ...]]]:
    """Every sentence the guests' pages can say: (file, line, message id)."""
    sources = [(path, "jinja2.ext:babel_extract") for path in sorted((PACKAGE / "templates" / "guest").glob("*.html"))]
    sources += [(path, "python") for path in sorted((PACKAGE / "customer").glob("*.py"))]
    for path, method in sources:
        for line, message, _comments, _context in extract_from_file(method, path, KEYWORDS):
            yield path.relative_to(PACKAGE).as_posix(), line, message


def template() -> Catalog:
    """The catalogue without translations that the sources ask for."""
    wanted = Catalog(domain="kaunta", project="kaunta")
    for file, _line, message in sentences():
        # Without line numbers: a line moved in a template is no change of the catalogue.
        wanted.add(message, locations=[(file, 0)])
    return wanted


def complaint(message: Message, translated: Message | None) -> str | None:
    """What is wrong with the translation of one sentence, or None."""
    if translated is None:
        return "is missing"
    texts = translated.string if isinstance(translated.string, (tuple, list)) else (translated.string,)
    if not all(texts):
        return "is not translated"
    if translated.fuzzy:
        return "is fuzzy"
    source = message.id if isinstance(message.id, str) else message.id[0]
    if any(fields(text or "") != fields(source) for text in texts):
        return "has other fields in braces than the English"
    return None


def fields(text: str) -> set[str]:
    """The names in braces of a sentence."""
    return set(re.findall(r"\{(\w*)\}", text))


def check() -> list[str]:
    """Every complaint about every catalogue; empty when all is said in all languages."""
    wanted = template()
    complaints = []
    for lang in LANGUAGES[1:]:
        have = read_catalogue(lang)
        for message in wanted:
            if message.id and (what := complaint(message, have.get(message.id))):
                complaints.append(f"{lang}: {message.id!r} {what}")
        complaints += [f"{lang}: {m.id!r} is no longer used" for m in have if m.id and m.id not in wanted]
    return complaints


def update() -> None:
    """Merge the sentences of the sources into every catalogue; a guessed translation is marked fuzzy."""
    wanted = template()
    for lang in LANGUAGES[1:]:
        have = read_catalogue(lang)
        have.update(wanted, no_fuzzy_matching=True, keep_user_comments=True)
        have.obsolete.clear()
        with po_file(lang).open("wb") as file:
            write_po(file, have, width=118, sort_output=False, include_lineno=False, omit_header=False)


def main(arguments: list[str]) -> int:
    """`check` or `update`, for the Makefile; 0 when all is well, 3 with complaints, 2 on misuse."""
    match arguments:
        case ["check"]:
            complaints = check()
            sys.stderr.writelines(f"{line}\n" for line in complaints)
            return 3 if complaints else 0
        case ["update"]:
            update()
            return 0
        case _:
            sys.stderr.write("usage: python -m kaunta.core.translations check|update\n")
            return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
