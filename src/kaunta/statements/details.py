"""What a row's words mean: a payment, a charge, money that went back; and who, in the words that are dropped.

Only words of a closed list are kept of what Safaricom writes: the rest names people.
"""

import re

from kaunta.statements.values import Kind, Party

#: The words Safaricom builds its kinds of transactions from (daraja.md §6). A name begins at the first other word.
WORDS = frozenset({
    "account", "api", "bank", "bill", "bulk", "business", "b2b", "b2c", "buy", "cash", "charge", "charges",
    "completed", "customer", "deposit", "express", "fee", "fees", "float", "funds", "goods", "initiated", "lipa",
    "m-pesa", "merchant", "mpesa", "na", "od", "online", "organisation", "organization", "pay", "paybill", "payment",
    "payout", "promotion", "real", "received", "reversal", "reverse", "reversed", "salary", "settlement", "small",
    "standing", "time", "till", "tip", "to", "transaction", "transfer", "utility", "via", "stk", "with", "withdraw",
    "withdrawal", "working", "and", "for", "of", "the", "moved", "between",
})  # fmt: skip
#: A masked or plain number, then mostly the payer's name, then what they typed as the account.
PARTY = re.compile(r"(?:^|\b(?:from|by|to)\s+)(?P<phone>\+?[\d*][\d* ]{5,14})\s*(?:-\s*(?P<name>.*?))?$", re.IGNORECASE)
ACCOUNT = re.compile(r"\bAcc(?:ount)?\.?\s*(?:No\.?)?\s*[:.]?\s*(?P<reference>\S.*)$", re.IGNORECASE)
CODE = re.compile(r"[A-Z][A-Z0-9]{9}")
#: Among other words a code is told by its digits; the one in ten without any, by the words before it.
CODE_WITH_DIGITS = re.compile(r"\b(?=[A-Z]*\d)[A-Z][A-Z0-9]{9}\b")
CODE_AFTER_REVERSAL = re.compile(r"\bREVERSAL (?:OF|FOR) (?:TRANSACTION )?([A-Z]{10})\b")
#: Money coming in that no customer paid: from one's own other accounts.
OWN_MONEY = re.compile(r"settlement|transfer|deposit|float|moved between", re.IGNORECASE)


def label(details: str) -> str:
    """The kind in Safaricom's words, lower case: `merchant payment online`. Nothing personal is in it."""
    kept = []
    for word in details.lower().split():
        plain = word.strip(".,:;()")
        if plain not in WORDS:
            break
        kept.append(plain)
    while kept and kept[-1] in ("to", "for", "of", "the", "and", "via", "with"):
        kept.pop()
    return " ".join(kept)[:80]


def kind(details: str, reason: str, *, completed: bool, paid_in: int, withdrawn: int) -> Kind:
    """What a row is. Money that came in and is nothing else is a payment: better a person looks than nobody."""
    if not completed:
        return Kind.FAILED
    words = f"{label(details)} | {reason.lower()}"
    if re.search(r"\b(charges?|fees?)\b", words):
        return Kind.FEE
    if "revers" in words and withdrawn:
        return Kind.REVERSAL
    if withdrawn:
        return Kind.WITHDRAWAL
    if not paid_in or "revers" in words or OWN_MONEY.search(words):
        return Kind.OTHER
    return Kind.PAYMENT


def linked(details: str, column: str, own: str) -> str | None:
    """The receipt a reversal is about: from its column, else the one code in its details that is not its own."""
    named = column.strip().upper()
    if CODE.fullmatch(named) and named != own:
        return named
    words = details.upper()
    found = CODE_AFTER_REVERSAL.findall(words) + CODE_WITH_DIGITS.findall(words)
    return next((code for code in found if code != own), None)


def party(details: str, other_party: str, account: str) -> Party:
    """Who paid and for which account, from the columns of the one layout or the details of the other."""
    rest, reference = details, account.strip()
    if found := ACCOUNT.search(details):
        rest, reference = details[: found.start()].rstrip(" -"), reference or found["reference"].strip()
    found = PARTY.search(other_party.strip()) or PARTY.search(rest)
    if found is None:
        return Party(reference=reference[:100])
    return Party(found["phone"].replace(" ", "")[:20], (found["name"] or "").strip()[:120], reference[:100])
