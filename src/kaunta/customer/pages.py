"""How a guest's page is sent: one document with its style and script inside, well under 6 kB.

A page that is live carries `data-v`, the version of what it shows. The script asks for the same address with
`X-Fragment: main` and that version, and gets 204 or the part that changed; nothing is rendered to say "unchanged".
"""

import hashlib
import re
from functools import cache
from pathlib import Path

from fastapi import Request, Response
from markupsafe import Markup

from kaunta.core import web

SOURCES = Path(__file__).parent.parent / "static" / "guest"


@cache
def inline(*names: str) -> Markup:
    """The named files of `static/guest`, one after the other, without comments and line ends."""
    return Markup("").join(squeezed(name, (SOURCES / name).read_text(encoding="utf-8")) for name in names)


def squeezed(name: str, text: str) -> Markup:
    if name.endswith(".css"):
        return Markup(re.sub(r"/\*.*?\*/|\n", "", text, flags=re.DOTALL))  # noqa: S704 - our own file
    return Markup(re.sub(r"(?m)^//.*\n|(?<=[{,;(])\n|\n(?=[})])", "", text))  # noqa: S704 - our own file


def version_of(*facts: object) -> str:
    """A short name for what a page shows: other facts, other name."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def wants_fragment(request: Request) -> bool:
    """Is it the page's own script that asks?"""
    return request.headers.get("x-fragment") == "main"


def guest_page(
    request: Request,
    template: str,
    *,
    styles: tuple[str, ...] = (),
    scripts: tuple[str, ...] = (),
    version: str = "",
    status: int = 200,
    **context: object,
) -> Response:
    """A page of the guest's, or its live part, or 204 when the asking script has this version already."""
    version = version and version_of(version, web.language(request))
    fragment = bool(version) and wants_fragment(request)
    if fragment and request.headers.get("if-none-match") == version:
        return Response(status_code=204, headers={"ETag": version, "Cache-Control": "no-store"})
    response = web.page(
        request,
        f"guest/{template}",
        status,
        layout="guest/fragment.html" if fragment else "guest/base.html",
        css=inline("base.css", *styles),
        script=inline(*scripts) if scripts else "",
        version=version,
        **context,
    )
    response.headers["Cache-Control"] = "no-store"
    if version:
        response.headers["ETag"] = version
    return response
