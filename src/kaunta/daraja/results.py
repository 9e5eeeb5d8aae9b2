"""What a result of an STK push means: every published code once, as data.

A callback's or query's ResultCode comes here and leaves as a `ResultCode`: what it decides (kind), which sentence
people read (class), whether money may have moved, when the guest may try again. Only the closed list of final codes
ends a payment; a code that is not in the table is *unknown*, and unknown means keep asking, never failed (rulings 4,
daraja.md §3). The wording is that of ux.md §1.6, except where rulings forbid its promise (1019).

Data only, on the standard library: the simulator reads this table too.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from kaunta.daraja.words import GUEST, ResultClass


class ResultKind(StrEnum):
    """What the state machine does with a code (rulings 4)."""

    SUCCESS = "success"
    #: Ends the payment as failed.
    FINAL = "final"
    #: Ends it as cancelled.
    CANCEL = "cancel"
    #: A failure that a success has followed in the past: ask, and believe it when the query says the same.
    UNPROVEN = "unproven"
    PENDING = "pending"
    #: In no list: keep asking.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ResultCode:
    """One row of daraja.md §3.

    `money_may_have_moved` is False only where the code itself says that nothing left the guest's account, in this
    try or in an earlier one that it points at. `retry_after`: seconds of cool-down before a new push for the same
    thing; None where the same thing would be refused again, or must not be repeated.
    """

    code: str
    kind: ResultKind
    klass: ResultClass
    money_may_have_moved: bool
    retry_after: int | None
    guest_en: str
    guest_sw: str
    staff_cause: str
    staff_fix: str
    staff_cause_sw: str
    staff_fix_sw: str
    source: str

    @property
    def promises_no_money_left(self) -> bool:
        """May a page say "No money has left your account for this try"? (ux.md §1.5 S8, narrowed by rulings 4.)"""
        return not self.money_may_have_moved and self.klass in PROMISED


#: The classes that may carry that sentence.
PROMISED = frozenset({ResultClass.CANCELLED, ResultClass.NO_MONEY, ResultClass.WRONG_PIN, ResultClass.LIMIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the system does with a code; the words come after it."""

    code: str = field(kw_only=False)
    kind: ResultKind = field(kw_only=False)
    klass: ResultClass = field(kw_only=False)
    moved: bool
    retry: int | None


def row(
    verdict: Verdict,
    *,
    cause: tuple[str, str],
    fix: tuple[str, str],
    source: str,
    guest: tuple[str, str] | None = None,
) -> ResultCode:
    """A row whose guest reads the class's sentence unless `guest` is given; pairs are (English, Swahili)."""
    guest_en, guest_sw = guest or GUEST[verdict.klass]
    return ResultCode(
        code=verdict.code,
        kind=verdict.kind,
        klass=verdict.klass,
        money_may_have_moved=verdict.moved,
        retry_after=verdict.retry,
        guest_en=guest_en,
        guest_sw=guest_sw,
        staff_cause=cause[0],
        staff_fix=fix[0],
        staff_cause_sw=cause[1],
        staff_fix_sw=fix[1],
        source=source,
    )


STK_PAGE = "Daraja 3.0, MpesaExpressSimulate, result codes"
CONFIGURED_WRONG = (
    "Check the till, the store number and the type in the M-Pesa settings; M-Pesa stays off until it is right.",
    "Kagua till, nambari ya duka na aina kwenye mipangilio ya M-Pesa; M-Pesa itabaki imezimwa hadi irekebishwe.",
)
ASK_FIRST = (
    "Nothing: the system asks M-Pesa before it believes this. If the guest has an M-Pesa SMS, check its code.",
    "Hakuna: mfumo huuliza M-Pesa kabla ya kuamini jibu hili. Mgeni akiwa na SMS ya M-Pesa, kagua nambari yake.",
)

ROWS: tuple[ResultCode, ...] = (
    row(
        Verdict("0", ResultKind.SUCCESS, ResultClass.PAID, moved=True, retry=None),
        cause=("Paid.", "Imelipwa."),
        fix=("Nothing to do.", "Hakuna la kufanya."),
        source=STK_PAGE,
    ),
    row(
        Verdict("1", ResultKind.FINAL, ResultClass.NO_MONEY, moved=False, retry=0),
        cause=("Not enough in M-Pesa, Fuliza included.", "Salio la M-Pesa halitoshi, hata kwa Fuliza."),
        fix=("Offer a part payment, another number or cash.", "Pendekeza kulipa sehemu, nambari nyingine au taslimu."),
        source=f"{STK_PAGE}; captures of 2019 and 2021",
    ),
    row(
        Verdict("2", ResultKind.FINAL, ResultClass.LIMIT, moved=False, retry=None),
        cause=("The amount is below M-Pesa's minimum.", "Kiasi ni chini ya kiwango cha chini cha M-Pesa."),
        fix=("Take a larger amount, or cash.", "Pokea kiasi kikubwa zaidi, au taslimu."),
        source=STK_PAGE,
    ),
    row(
        Verdict("3", ResultKind.FINAL, ResultClass.LIMIT, moved=False, retry=None),
        cause=("The amount is above M-Pesa's limit for one payment.", "Kiasi kimezidi kikomo cha malipo moja."),
        fix=("Split the bill into smaller payments.", "Gawanya bili katika malipo madogo."),
        source=STK_PAGE,
    ),
    row(
        Verdict("4", ResultKind.FINAL, ResultClass.LIMIT, moved=False, retry=None),
        cause=("The guest reached M-Pesa's daily limit.", "Mgeni amefikia kikomo cha siku cha M-Pesa."),
        fix=("Another payer, or cash.", "Mlipaji mwingine, au taslimu."),
        source=STK_PAGE,
    ),
    row(
        Verdict("8", ResultKind.FINAL, ResultClass.LIMIT, moved=False, retry=None),
        cause=("Our own M-Pesa account is full.", "Akaunti yetu ya M-Pesa imejaa."),
        fix=("Tell the owner: move money out of the till's account.", "Mwambie mmiliki: atoe pesa kwenye akaunti."),
        source=STK_PAGE,
    ),
    row(
        Verdict("11", ResultKind.FINAL, ResultClass.LIMIT, moved=False, retry=None),
        cause=("The guest's M-Pesa account is not active.", "Akaunti ya M-Pesa ya mgeni haifanyi kazi."),
        fix=("Another number, or cash.", "Nambari nyingine, au taslimu."),
        source=STK_PAGE,
    ),
    row(
        # Refused because the same amount was just asked: that earlier one may have been paid.
        Verdict("17", ResultKind.FINAL, ResultClass.TOO_FAST, moved=True, retry=120),
        cause=("The same amount and number twice within two minutes.", "Kiasi na nambari ile ile ndani ya dakika 2."),
        fix=("Check whether the first one was paid, then wait.", "Kagua kama la kwanza lililipwa, kisha subiri."),
        source=f"{STK_PAGE}; capture of 2021",
    ),
    row(
        Verdict("26", ResultKind.FINAL, ResultClass.MPESA_BUSY, moved=True, retry=30),
        cause=("M-Pesa is overloaded.", "M-Pesa imezidiwa."),
        fix=("Wait half a minute; offer the till number.", "Subiri nusu dakika; pendekeza nambari ya till."),
        source="Daraja 3.0, AccountBalance, result codes",
    ),
    row(
        # The other session may be an older prompt of ours that is still waiting for its PIN.
        Verdict("1001", ResultKind.FINAL, ResultClass.BUSY_LINE, moved=True, retry=60),
        cause=("Another M-Pesa session is open on the phone.", "Kuna muamala mwingine wa M-Pesa kwenye simu."),
        fix=("The guest finishes it and waits a minute.", "Mgeni aumalize na asubiri dakika moja."),
        source=f"{STK_PAGE}; mpesa-stk's error-code work",
    ),
    row(
        Verdict("1019", ResultKind.UNPROVEN, ResultClass.EXPIRED, moved=True, retry=0),
        cause=("The prompt expired.", "Muda wa ombi uliisha."),
        fix=ASK_FIRST,
        source=f"{STK_PAGE}; safaricom/mpesa-php-sdk#51",
    ),
    row(
        Verdict("1025", ResultKind.UNPROVEN, ResultClass.MPESA_BUSY, moved=True, retry=30),
        cause=("M-Pesa could not send the prompt.", "M-Pesa haikuweza kutuma ombi."),
        fix=ASK_FIRST,
        source=f"{STK_PAGE} (also: prompt over 182 characters)",
    ),
    row(
        Verdict("1031", ResultKind.CANCEL, ResultClass.CANCELLED, moved=False, retry=0),
        cause=("The guest dismissed the prompt.", "Mgeni alighairi ombi."),
        fix=("Ask whether to send it again.", "Muulize kama litumwe tena."),
        source="mpesa-stk's error-code work",
    ),
    row(
        Verdict("1032", ResultKind.CANCEL, ResultClass.CANCELLED, moved=False, retry=0),
        cause=("The guest dismissed the prompt or let it lapse.", "Mgeni alighairi ombi au aliliacha lipite."),
        fix=("Ask whether to send it again.", "Muulize kama litumwe tena."),
        source=f"{STK_PAGE}; captures since 2017",
    ),
    row(
        Verdict("1036", ResultKind.UNPROVEN, ResultClass.NO_ANSWER, moved=True, retry=0),
        cause=("The prompt did not reach the phone.", "Ombi halikufika kwenye simu."),
        fix=ASK_FIRST,
        source="captures; mpesa-stk's error-code work",
    ),
    row(
        Verdict("1037", ResultKind.UNPROVEN, ResultClass.NO_ANSWER, moved=True, retry=0),
        cause=(
            "No answer from the phone: off, no signal, locked, an old SIM (dial *234#) or eSIM.",
            "Simu haikujibu: imezimwa, haina mtandao, imefungwa, laini ya zamani (piga *234#) au eSIM.",
        ),
        fix=ASK_FIRST,
        source=f"{STK_PAGE}; captures of 2021 to 2026",
    ),
    row(
        Verdict("1050", ResultKind.UNPROVEN, ResultClass.UNKNOWN, moved=True, retry=120),
        guest=(
            "M-Pesa did not complete this payment. If an M-Pesa SMS comes for it, show it to staff.",
            "M-Pesa haikukamilisha malipo haya. SMS ya M-Pesa ikija, mwonyeshe mhudumu.",
        ),
        cause=("A code that only community lists name.", "Msimbo usio kwenye orodha rasmi."),
        fix=ASK_FIRST,
        source="community lists only",
    ),
    row(
        Verdict("2001", ResultKind.FINAL, ResultClass.WRONG_PIN, moved=False, retry=0),
        cause=("Wrong M-Pesa PIN.", "PIN ya M-Pesa si sahihi."),
        fix=("Let the guest try once more, slowly.", "Mgeni ajaribu tena mara moja, polepole."),
        source=f"{STK_PAGE}; capture of 2020 (in B2C, 2001 means our initiator)",
    ),
    row(
        Verdict("2002", ResultKind.FINAL, ResultClass.OUR_FAULT, moved=False, retry=None),
        cause=("Agent and store number do not match.", "Nambari ya wakala na ya duka hazilingani."),
        fix=CONFIGURED_WRONG,
        source="daraja-v3",
    ),
    row(
        Verdict("2028", ResultKind.FINAL, ResultClass.OUR_FAULT, moved=False, retry=None),
        cause=("This till or paybill may not take such payments.", "Till au paybill hii hairuhusiwi malipo haya."),
        fix=CONFIGURED_WRONG,
        source=STK_PAGE,
    ),
    row(
        Verdict("8006", ResultKind.FINAL, ResultClass.PIN_LOCKED, moved=False, retry=None),
        cause=("M-Pesa is locked after wrong PINs.", "M-Pesa imefungwa baada ya PIN zisizo sahihi."),
        fix=("The guest unlocks with *334# or calls 100.", "Mgeni afungue kwa *334# au apige 100."),
        source=STK_PAGE,
    ),
    row(
        Verdict("SFC_IC0003", ResultKind.FINAL, ResultClass.OUR_FAULT, moved=False, retry=None),
        cause=("Safaricom does not know this till or store number.", "Safaricom haitambui till au nambari ya duka."),
        fix=CONFIGURED_WRONG,
        source=f"{STK_PAGE}; SmoDav/mpesa#50",
    ),
    row(
        Verdict("9999", ResultKind.UNPROVEN, ResultClass.MPESA_BUSY, moved=True, retry=30),
        cause=("M-Pesa could not send the prompt.", "M-Pesa haikuweza kutuma ombi."),
        fix=ASK_FIRST,
        source="mpesa-stk's error-code work",
    ),
    row(
        Verdict("4999", ResultKind.PENDING, ResultClass.WAITING, moved=True, retry=None),
        cause=("M-Pesa is still working on it.", "M-Pesa bado inashughulikia."),
        fix=("Wait; it is checked automatically.", "Subiri; hukaguliwa kiotomatiki."),
        source="PaySync, UmojaHub and nkap, query answers of 2025 and 2026",
    ),
    row(
        Verdict("500.001.1001", ResultKind.PENDING, ResultClass.WAITING, moved=True, retry=None),
        cause=(
            "M-Pesa cannot say yet; it also answers so for payments it knows.",
            "M-Pesa bado haiwezi kusema; hujibu hivi hata kwa malipo inayoyajua.",
        ),
        fix=("Wait; it is checked automatically.", "Subiri; hukaguliwa kiotomatiki."),
        source="LNMOnlineAndroidSample#13; nkap, 4 of 19 answers for a known id",
    ),
    row(
        Verdict("E3008", ResultKind.UNKNOWN, ResultClass.UNKNOWN, moved=True, retry=120),
        cause=("The sandbox says so for numbers that are not test numbers.", "Sandbox: nambari si ya majaribio."),
        fix=("In the sandbox, use Safaricom's test number.", "Kwenye sandbox, tumia nambari ya majaribio."),
        source="UmojaHub and nkap, sandbox query answers of 2026",
    ),
)

RESULT_CODES: dict[str, ResultCode] = {entry.code: entry for entry in ROWS}

UNLISTED = row(
    Verdict("", ResultKind.UNKNOWN, ResultClass.UNKNOWN, moved=True, retry=120),
    cause=("A result that is in no published list.", "Jibu lisilo kwenye orodha yoyote."),
    fix=(
        "The system keeps asking. If the guest has an M-Pesa SMS, check its code, then resolve by hand.",
        "Mfumo unaendelea kuuliza. Mgeni akiwa na SMS ya M-Pesa, kagua nambari yake, kisha tatua mwenyewe.",
    ),
    source="in no list",
)


def explain(code: str | int | None) -> ResultCode:
    """The row of `code`, as callbacks (number) and queries (text) send it. Never raises: what is not listed is
    unknown and keeps its code."""
    text = "" if code is None or isinstance(code, bool) else str(code).strip()
    return RESULT_CODES.get(text) or replace(UNLISTED, code=text)
