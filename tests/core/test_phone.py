"""PAY-P9: every way people write a Kenyan mobile number is one number, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.phone import PhoneProblem, PhoneRefused, masked, other_operator, parse_msisdn

nationals = st.from_regex(r"[17][0-9]{8}", fullmatch=True)
prefixes = st.sampled_from(["254", "+254", "00254", "+ 254", "0", ""])
#: What people, phones and web pages put between digits: blanks of all kinds, dashes, dots, direction marks.
decorations = st.text(st.sampled_from(" -.()/\u00a0\u2010\u2011\u2013\u200e\u202a\u202c\t"), max_size=2)


@st.composite
def decorated(draw: st.DrawFn) -> tuple[str, str]:
    """A national number, and one way to write it."""
    national = draw(nationals)
    written = draw(prefixes) + "".join(digit + draw(decorations) for digit in national)
    return national, draw(decorations) + written


@pytest.mark.req("PAY-P9", "PAY-P10", "PAY-3.2", "PAY-5.3")
@pytest.mark.failure(71)
@given(decorated())
def test_every_way_to_write_a_number_is_the_same_payer(number: tuple[str, str]) -> None:
    national, written = number
    assert parse_msisdn(written) == "254" + national


@pytest.mark.req("PAY-P9")
@pytest.mark.failure(72)
@given(nationals)
def test_what_was_read_reads_the_same_again(national: str) -> None:
    once = parse_msisdn(national)
    assert parse_msisdn(once) == once
    assert parse_msisdn("0" + once[3:]) == once


@pytest.mark.req("PAY-P9", "PAY-P10", "PAY-3.3", "PAY-5.3")
@given(st.text(max_size=80) | st.text("0123456789+ -", max_size=20))
def test_any_text_is_a_number_or_refused_with_a_reason_that_does_not_repeat_it(text: str) -> None:
    try:
        number = parse_msisdn(text)
    except PhoneRefused as refusal:
        assert refusal.problem in PhoneProblem
        assert refusal.status == 400
        digits = "".join(filter(str.isdigit, text))
        assert len(digits) < 4 or digits not in f"{refusal} {refusal.detail} {refusal.fields}"
    else:
        assert len(number) == 12
        assert number.isascii()
        assert number.isdigit()
        assert number.startswith(("2547", "2541"))


@pytest.mark.req("PAY-3.3", "PAY-P9")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", PhoneProblem.EMPTY),
        (" - ", PhoneProblem.EMPTY),
        ("+", PhoneProblem.EMPTY),
        ("07O8374149", PhoneProblem.NOT_DIGITS),
        ("0708374149'; drop table tabs", PhoneProblem.NOT_DIGITS),
        ("٠٧٠٨٣٧٤١٤٩", PhoneProblem.NOT_DIGITS),
        ("0708 374 14", PhoneProblem.TOO_SHORT),
        ("254", PhoneProblem.TOO_SHORT),
        ("0708 374 1499", PhoneProblem.TOO_LONG),
        ("0" * 65, PhoneProblem.TOO_LONG),
        ("+256 708 374 149", PhoneProblem.FOREIGN),
        ("00 1 708 374 149", PhoneProblem.FOREIGN),
        ("020 222 2222", PhoneProblem.LANDLINE),
        ("254 0708 374 149", PhoneProblem.EXTRA_ZERO),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: PhoneProblem) -> None:
    with pytest.raises(PhoneRefused) as refusal:
        parse_msisdn(text)
    assert refusal.value.problem is problem


@pytest.mark.failure(71)
@pytest.mark.parametrize("text", ["0110 404 000", "0115 404 000", "0757 404 000", "0768 404 000", "0799 404 000"])
def test_no_prefix_of_a_mobile_number_is_refused(text: str) -> None:
    assert parse_msisdn(text).startswith("254")


@pytest.mark.failure(71)
@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("0708374149", None),
        ("0110404000", None),
        ("0733404000", "Airtel"),
        ("0100404000", "Airtel"),
        ("0772404000", "Telkom"),
        ("0747404000", "Faiba"),
        ("0763404000", "Equitel"),
    ],
)
def test_another_operators_prefix_is_a_hint(text: str, operator: str | None) -> None:
    assert other_operator(parse_msisdn(text)) == operator


@pytest.mark.failure(91)
@given(nationals)
def test_a_number_is_shown_without_its_middle(national: str) -> None:
    shown = masked(parse_msisdn(national))
    assert shown == f"0{national[:3]} ••• {national[-3:]}"
    assert national[3:6] not in shown or national[3:6] in (national[:3], national[-3:], "0" + national[:2])
