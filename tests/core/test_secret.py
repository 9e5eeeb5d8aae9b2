"""A secret travels and does not print."""

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.secret import Secret

WAYS: list[Callable[[Secret], str]] = [
    repr,
    str,
    ascii,
    lambda secret: f"{secret}",
    lambda secret: f"{secret!r:>40}",
    lambda secret: f"{secret:>40}",
    lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - one of the ways
    lambda secret: "{0} {0!r}".format(secret),  # noqa: UP032
    lambda secret: str([secret, {secret: secret}]),
    lambda secret: json.dumps({"value": secret}, default=str),
    lambda secret: logging.LogRecord("n", 30, "p", 1, "%s", (secret,), None).getMessage(),
]


@dataclass(frozen=True)
class Holder:
    consumer_secret: Secret


@pytest.mark.req("PAY-P14", "FIX-6.1")
@pytest.mark.failure(90)
@given(st.text(min_size=4).filter(lambda text: text not in "Secret(•••) [{': }]\"value" + " " * 40))
def test_no_way_of_formatting_shows_the_text(text: str) -> None:
    secret = Secret(text)
    for way in WAYS:
        assert text not in way(secret)
    assert text not in repr(Holder(secret))
    assert secret.reveal() == text


def test_a_traceback_over_a_secret_does_not_show_it() -> None:
    secret = Secret("-".join(("s3cr3t", "passkey")))
    try:
        raise ValueError(secret)
    except ValueError as error:
        assert "s3cr3t-passkey" not in "".join(traceback.format_exception(error))


def test_secrets_compare_by_their_text_and_only_with_secrets() -> None:
    assert Secret("one") == Secret("one")
    assert hash(Secret("one")) == hash(Secret("one"))
    assert Secret("one") != Secret("two")
    assert Secret("one") != "one"


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret(" ")


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_does_not_leave_by_pickling_or_copying(leave: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="Secret"):
        leave(Holder(Secret("one")) if leave is copy.deepcopy else Secret("one"))


def test_a_secret_is_no_json() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret("one"))
