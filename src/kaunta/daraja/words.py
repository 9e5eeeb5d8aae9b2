"""What a guest reads when a payment did not simply succeed: one sentence a class, in English and Swahili.

A class gathers the codes for which the next step is the same (ux.md §1.6). The sentences are that page's, but for
1019, whose promise that no money moved the rulings forbid.
"""

from enum import StrEnum


class ResultClass(StrEnum):
    """Which sentence a guest reads (ux.md §1.6)."""

    PAID = "PAID"
    WAITING = "WAITING"
    CANCELLED = "CANCELLED"
    NO_ANSWER = "NO_ANSWER"
    EXPIRED = "EXPIRED"
    NO_MONEY = "NO_MONEY"
    WRONG_PIN = "WRONG_PIN"
    PIN_LOCKED = "PIN_LOCKED"
    LIMIT = "LIMIT"
    BUSY_LINE = "BUSY_LINE"
    TOO_FAST = "TOO_FAST"
    MPESA_BUSY = "MPESA_BUSY"
    OUR_FAULT = "OUR_FAULT"
    UNKNOWN = "UNKNOWN"


#: Guest's words, English and Swahili.
GUEST: dict[ResultClass, tuple[str, str]] = {
    ResultClass.PAID: ("Paid. Thank you!", "Imelipwa. Asante!"),
    ResultClass.WAITING: ("Checking with M-Pesa…", "Tunathibitisha na M-Pesa…"),
    ResultClass.CANCELLED: (
        "You cancelled the prompt. No money has left your account.",
        "Ulighairi ombi. Hakuna pesa iliyotoka kwenye akaunti yako.",
    ),
    ResultClass.NO_ANSWER: (
        "Your phone did not answer. Check that it is on, has network and is not in another M-Pesa menu, "
        "then try again.",
        "Simu yako haikujibu. Hakikisha imewashwa, ina mtandao na haiko kwenye menyu nyingine ya M-Pesa, "
        "kisha jaribu tena.",
    ),
    ResultClass.EXPIRED: (
        "The prompt has expired. You can try again. If an M-Pesa SMS comes for this try, show it to staff.",
        "Muda wa ombi umeisha. Unaweza kujaribu tena. SMS ya M-Pesa ikija, mwonyeshe mhudumu.",
    ),
    ResultClass.NO_MONEY: (
        "Your M-Pesa balance is not enough. Add money and try again, pay part of the tab, or use another number.",
        "Salio lako la M-Pesa halitoshi. Ongeza pesa ujaribu tena, lipa sehemu ya bili, au tumia nambari nyingine.",
    ),
    ResultClass.WRONG_PIN: (
        "The M-Pesa PIN was not right. Try again carefully: a few wrong PINs lock M-Pesa.",
        "PIN ya M-Pesa si sahihi. Jaribu tena kwa makini: PIN zisizo sahihi zikirudiwa hufunga M-Pesa.",
    ),
    ResultClass.PIN_LOCKED: (
        "M-Pesa is locked on this number. Dial *334# to unlock it, or pay another way.",
        "M-Pesa imefungwa kwenye nambari hii. Piga *334# kuifungua, au lipa kwa njia nyingine.",
    ),
    ResultClass.LIMIT: (
        "M-Pesa did not allow this amount today. Pay a smaller part, use another number, or ask staff.",
        "M-Pesa haikuruhusu kiasi hiki leo. Lipa sehemu ndogo, tumia nambari nyingine, au muulize mhudumu.",
    ),
    ResultClass.BUSY_LINE: (
        "Another M-Pesa transaction is open on this phone. Finish or close it, wait a minute, then try again.",
        "Kuna muamala mwingine wa M-Pesa kwenye simu hii. Umalize au uufunge, subiri dakika moja, kisha ujaribu tena.",
    ),
    ResultClass.TOO_FAST: (
        "M-Pesa asks us to wait 2 minutes before trying again.",
        "M-Pesa inaomba tusubiri dakika 2 kabla ya kujaribu tena.",
    ),
    ResultClass.MPESA_BUSY: (
        "M-Pesa is busy. If no prompt appears in half a minute, try again or pay by till number.",
        "M-Pesa ina shughuli nyingi. Kama ombi halijatokea baada ya nusu dakika, jaribu tena au lipa kwa till.",
    ),
    ResultClass.OUR_FAULT: (
        "We cannot take M-Pesa here right now. It is our problem, not yours. Pay by till number or at the counter.",
        "Hatuwezi kupokea M-Pesa hapa kwa sasa. Ni tatizo letu, si lako. Lipa kwa till au kwenye kaunta.",
    ),
    ResultClass.UNKNOWN: (
        "We are still waiting for M-Pesa. Do not pay again yet. Look at your M-Pesa SMS.",
        "Bado tunasubiri M-Pesa. Usilipe tena kwa sasa. Angalia SMS yako ya M-Pesa.",
    ),
}
