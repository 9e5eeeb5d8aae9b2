"""The catalogues: complete, and the check that says so can fail."""

from babel.messages.catalog import Message

from kaunta.core import translations


def test_every_sentence_of_the_guests_pages_is_translated() -> None:
    assert translations.check() == []


def test_swahili_is_read_from_the_catalogue_and_english_is_the_message() -> None:
    assert translations.load("sw").gettext("Check your phone") == "Angalia simu yako"
    assert translations.load("en").gettext("Check your phone") == "Check your phone"
    assert translations.load("xx").gettext("Check your phone") == "Check your phone"


def test_the_check_names_what_is_missing_untranslated_fuzzy_or_has_other_fields() -> None:
    wanted = Message("Pay {amount}")
    assert translations.complaint(wanted, None) == "is missing"
    assert translations.complaint(wanted, Message("Pay {amount}")) == "is not translated"
    assert translations.complaint(wanted, Message("Pay {amount}", "Lipa {amount}", flags=["fuzzy"])) == "is fuzzy"
    assert translations.complaint(wanted, Message("Pay {amount}", "Lipa {kiasi}")) is not None
    assert translations.complaint(wanted, Message("Pay {amount}", "Lipa {amount}")) is None
