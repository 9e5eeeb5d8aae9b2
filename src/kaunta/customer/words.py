"""What a guest reads when something is refused: one sentence an error code, in the guest's language.

The errors' own sentences are English and written for programs and staff too; these are the pages'.
"""

from kaunta.core.errors import KauntaError


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it, which the extraction knows
    """Marks a sentence for the catalogues; it is translated where it is shown."""
    return text


PHONE = {
    "empty": N_("Enter a Kenyan mobile number, like 0712 345 678."),
    "not_digits": N_("Use digits only, like 0712 345 678."),
    "too_short": N_("This number is too short. A Kenyan mobile number looks like 0712 345 678."),
    "too_long": N_("This number is too long. A Kenyan mobile number looks like 0712 345 678."),
    "foreign": N_("M-Pesa needs a Kenyan number, like 0712 345 678."),
    "landline": N_("This is not a mobile number. Use one like 0712 345 678."),
    "extra_zero": N_("Leave out the 0 after 254, like 254712345678."),
}

SENTENCES = {
    "address_blocked": N_(
        "No M-Pesa prompts are sent from your connection for now. Use mobile data, pay by till, or ask staff."
    ),
    "amount_at_once": N_("This is more than M-Pesa takes at once. Pay it in parts."),
    "amount_refused": N_("Pay between 1 shilling and what is still to pay."),
    "amount_taken": N_("Others have paid or are paying meanwhile. Look at the amount and send it again."),
    "amount_unreadable": N_("Write the amount in whole shillings, like 500."),
    "attempt_open": N_("A payment from this phone is still on its way. Look at the phone first."),
    "code_unreadable": N_("An M-Pesa code has 10 letters and digits, like the first word of the SMS."),
    "idempotency_key_reused": N_("This page was used for another payment already. Check the amount and send it again."),
    "join_needs_more": N_("Type all 8 digits that your friend’s phone shows now."),
    "join_refused": N_("No open tab at this table has this code. Look at your friend’s phone, or ask staff."),
    "join_too_often": N_("Too many wrong codes. Wait 10 minutes, scan your friend’s phone, or ask staff."),
    "key_missing": N_("This page is out of date. Check the amount and send it again."),
    "mpesa_unavailable": N_("M-Pesa is not available here right now. Ask staff how to pay."),
    "not_found": N_("This page does not exist."),
    "order_empty": N_("Choose something first."),
    "order_refused": N_("This order could not be taken. Look at the menu and send it again."),
    "payment_not_found": N_("This payment does not exist."),
    "phone_not_for_sandbox": N_("In test mode M-Pesa prompts go to test numbers only."),
    "prompts_blocked": N_("No M-Pesa prompts go to this phone for now. Pay by till number, or ask staff."),
    "retry_refused": N_("This payment cannot be tried again yet. Wait a little."),
    "search_refused": N_("Search with plain words, like soda."),
    "split_refused": N_("Split between 2 and 30 people, at least 1 shilling each."),
    "tab_closed": N_("This tab is closed. Ask staff to open a new one."),
    "tab_not_found": N_("This tab does not exist."),
    "too_many_codes": N_("Too many codes for now. Wait 10 minutes, or show the SMS to staff."),
    "unknown_unacknowledged": N_("We do not know yet whether your last payment went through. Look for its SMS first."),
}

#: By what the limits say in `retryAfter`, in seconds.
TOO_MANY = {
    60: N_("Too many tries for now. Wait a minute, or ask staff."),
    600: N_("Too many tries for now. Wait 10 minutes, or ask staff."),
    3_600: N_("Too many tries for now. Wait an hour, or ask staff."),
}

OTHERWISE = N_("Something went wrong. Try again, or ask staff.")


def sentence(error: KauntaError) -> str:
    """The English sentence, to be translated, that tells a guest about `error`."""
    if error.code == "phone_invalid":
        return PHONE.get(str(error.fields.get("problem")), PHONE["empty"])
    if error.code == "too_many_prompts":
        wait = error.fields.get("retryAfter")
        return TOO_MANY[next((known for known in TOO_MANY if isinstance(wait, int) and wait <= known), 3_600)]
    return SENTENCES.get(error.code, OTHERWISE)
