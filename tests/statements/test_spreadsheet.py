"""Tables to keep open in a spreadsheet programme as what they are."""

import pytest

from kaunta.statements.spreadsheet import Money, line


@pytest.mark.parametrize("text", ["=1+1", "+254", "-x", "@sum", "\tx", "\rx", "\nx"])
def test_a_text_is_never_a_formula(text: str) -> None:
    assert line([text]).strip('"\r\n').startswith("'")


def test_our_numbers_are_numbers() -> None:
    assert line([Money(-11_00), Money(13_75), Money(-5), 4, None, "a,b"]) == '-11,13.75,-0.05,4,,"a,b"\r\n'


def test_the_first_line_says_that_it_is_utf_8() -> None:
    assert line(["x"], bom=True) == "\ufeffx\r\n"
