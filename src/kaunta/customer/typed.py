"""What guests type into a field of words. Whatever no word on a menu is made of is refused, and not shown again."""

import re
import unicodedata

#: Nobody looks for more.
LONGEST = 40

#: Letters of any script, plain digits, and what stands in the name of a dish.
PLAIN = re.compile(r"(?:[^\W\d_]|[0-9]|[ '’.,&/()+-])*")


class NotPlain(ValueError):
    """The text holds something that is no word of a menu, or is too long."""


def plain(text: str) -> str:
    """The text without spaces at its ends, each inner run of spaces as one. Raises `NotPlain`."""
    if len(text) > LONGEST:
        raise NotPlain
    words = " ".join(filter(None, unicodedata.normalize("NFC", text).split(" ")))
    if not PLAIN.fullmatch(words):
        raise NotPlain
    return words


def folded(text: str) -> str:
    """A text as it is compared: without case, accents and the kind of apostrophe."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(ch for ch in decomposed if not unicodedata.combining(ch))


def matches(wanted: str, *texts: str) -> bool:
    """Whether every word of `wanted` stands in one of the texts."""
    haystack = " ".join(map(folded, texts))
    return all(word in haystack for word in folded(wanted).split())
