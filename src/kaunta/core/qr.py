"""QR codes in pages: drawn here as SVG, so that no picture is fetched and no address leaves the house."""

from markupsafe import Markup


def inline(text: str, *, error: str, border: int = 0, light: str | None = None, scale: int | None = None) -> Markup:
    """A code as an SVG element. `error`: how much may be worn off and still be read, by the standard's l, m, q, h.

    `border` in modules; `light` paints the ground, for pages that may be dark: not every camera reads the other way
    round. `scale`: pixels a module; None leaves the size to the page.
    """
    # By whoever draws: a process that answers Safaricom all evening may never need it.
    import segno

    code = segno.make_qr(text, error=error)
    return Markup(code.svg_inline(border=border, light=light, scale=scale or 1, omitsize=scale is None))  # noqa: S704 - drawn here
