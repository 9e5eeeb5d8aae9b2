"""How suspicious a phone or an address looks, from what was seen of it: pure, so that anybody can check the sums.

Whoever pays is no suspect. A phone collects points by prompts it was sent in vain; what strangers do to it is a reason
to leave it alone for a while. An address is a whole bar's Wi-Fi or half a mobile network: one from which anybody has
paid within the month is never blocked, whatever else came from there.
"""

from dataclasses import dataclass

#: Shown to staff from here on; blocked for prompts from there on.
SUSPICIOUS, BLOCKED = 50, 100
#: A phone is rung so often an hour, an address names so many numbers, before it is remarkable at all.
PROMPTS_AN_HOUR, NUMBERS_AN_HOUR = 5, 20
#: The first block's length, doubled for each within a week before it.
FIRST_SECONDS, LONGEST_SECONDS = 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class PhoneSigns:
    """What a day showed of one phone at one bar, since its last block ended; `prompts` and `addresses` within an hour.

    `declined`: the prompt was answered with no. `unanswered`: nobody took it up, or the PIN was wrong, or the like.
    `refused`: no prompt was sent, because a limit stood before it.
    """

    prompts: int = 0
    addresses: int = 0
    declined: int = 0
    unanswered: int = 0
    refused: int = 0
    paid: int = 0


@dataclass(frozen=True, slots=True)
class AddressSigns:
    """What a day showed of one address at one bar, since its last block ended; `numbers` within an hour, `paid` within
    a month and at any bar.

    `fruitless`: prompts it asked for that came to nothing. `forged`: callbacks from there about the bar's payments
    that no token proved; none of Safaricom's addresses has any.
    """

    numbers: int = 0
    fruitless: int = 0
    refused: int = 0
    forged: int = 0
    paid: int = 0


Signs = PhoneSigns | AddressSigns


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Points, and the sentences they stand for."""

    points: int
    why: tuple[str, ...]

    @property
    def remarkable(self) -> bool:
        return self.points >= SUSPICIOUS

    @property
    def blocks(self) -> bool:
        return self.points >= BLOCKED

    @property
    def reason(self) -> str:
        return "; ".join(self.why)


def suspicion(signs: Signs) -> Suspicion:
    """What the signs come to. More of what is bad never lowers it, and a payment never raises it."""
    found: tuple[tuple[int, str], ...]
    match signs:
        case PhoneSigns():
            crowd = max(signs.prompts - PROMPTS_AN_HOUR, 0)
            found = (
                (10 * crowd, f"{signs.prompts} prompts within an hour"),
                (15 * signs.declined, f"{signs.declined} prompts declined"),
                (8 * signs.unanswered, f"{signs.unanswered} prompts that came to nothing"),
                (5 * signs.refused, f"{signs.refused} more refused by the limits"),
                (10 * max(signs.addresses - 2, 0), f"asked for from {signs.addresses} addresses"),
            )
            credit = 30 * signs.paid
        case AddressSigns():
            crowd = max(signs.numbers - NUMBERS_AN_HOUR, 0)
            found = (
                (5 * crowd, f"{signs.numbers} numbers within an hour"),
                (4 * signs.fruitless, f"{signs.fruitless} prompts that came to nothing"),
                (2 * signs.refused, f"{signs.refused} tries refused"),
                (25 * signs.forged, f"{signs.forged} forged callbacks"),
            )
            # Where somebody has paid, guests sit: it is shown, and stays below a block for ever.
            credit = 0
    points = max(sum(each for each, _ in found) - credit, 0)
    if isinstance(signs, AddressSigns) and signs.paid:
        points = min(points, BLOCKED - 1)
    return Suspicion(points, tuple(words for each, words in found if each))


def block_seconds(earlier: int) -> float:
    """How long a block lasts after so many within the week before it, seconds."""
    return min(FIRST_SECONDS * 2.0 ** min(earlier, 10), LONGEST_SECONDS)
