"""Where a request came from stands beside what people did by it, and beside nothing that guests or machines did."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.origin import Origin, browser_of, current, with_origin, without_origin

CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (CHROME, "Chrome 141, Android"),
        (CHROME + " EdgA/141.0.0.0", "Edge 141, Android"),
        (CHROME + " OPR/90.0.0.0", "Opera 90, Android"),
        (CHROME.replace("Chrome/", "SamsungBrowser/28.0 Chrome/"), "Samsung Internet 28, Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox 144, Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            " Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari 18, iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "another browser, Windows"),
        ("curl/8.5.0", "curl 8"),
        ("", "unknown"),
        ("254708374149", "unknown"),
    ],
)
def test_a_browser_is_told_in_a_few_words(agent: str, told: str) -> None:
    assert browser_of(agent) == told


@given(st.text(max_size=600) | st.text("0123456789 ./-;()", max_size=600))
def test_nothing_that_a_stranger_writes_is_kept_at_length(agent: str) -> None:
    told = browser_of(agent)
    assert 0 < len(told) <= 60
    assert sum(ch.isdigit() for ch in told) <= 4


def test_only_what_people_of_the_bar_do_bears_its_origin() -> None:
    token = current.set(Origin("196.201.214.200", "Chrome 141, Android", "7F3K9QWERT"))
    try:
        kept = with_origin("staff:1", {"note": "x"})
        assert kept == {
            "note": "x",
            "request": {"ip": "196.201.214.200", "browser": "Chrome 141, Android", "id": "7F3K9QWERT"},
        }
        for actor in ("guest", "safaricom", "query", "kaunta", "operator", "operator:x"):
            assert with_origin(actor, {"note": "x"}) == {"note": "x"}
    finally:
        current.reset(token)
    assert with_origin("staff:1", {"note": "x"}) == {"note": "x"}
    assert without_origin(kept) == {"note": "x", "request": "7F3K9QWERT"}
    assert without_origin({"request": "a word"}) == {}
