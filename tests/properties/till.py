"""Direct money comes: guests pay the till by hand, with words of ours, others' or none, and type codes from an SMS."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from kaunta.core.errors import KauntaError
from kaunta.core.secret import Secret
from kaunta.payments import c2b_addresses, pull
from kaunta.payments.initiators import set_initiator
from kaunta.payments.typed_codes import claim_code
from kaunta.simulator.direct import Declined
from kaunta.simulator.pushes import Message as Letter
from kaunta.simulator.pushes import Payment as Taken
from kaunta.simulator.rules import Action, Rule

from .direct_books import paid_in
from .evening import Evening
from .guests import PHONES, numbers, phones
from .looking import look
from .settling import SHORTCODE

#: What Safaricom does for the first bar: posts direct payments, asks before it takes one, takes its questions and
#: reversals, gives its list.
SERVICES = (
    (),
    ("c2b",),
    ("acts",),
    ("c2b", "acts"),
    ("c2b", "acts"),
    ("acts", "list"),
    ("c2b", "acts", "list"),
    ("c2b", "asks", "acts"),
)
WORDS = ("nothing", "nothing", "the tab's number", "a payment's reference", "a payment's reference", "something else")
FATES = ("comes", "comes", "comes twice", "comes late", "is lost")


class Till(Evening):
    """Rules of money that nobody asked for."""

    @initialize(services=st.sampled_from(SERVICES))
    def the_bar_is_known_at_safaricom(self, services: tuple[str, ...]) -> None:
        self.act(self.arrange(services))

    async def arrange(self, services: tuple[str, ...]) -> None:
        house, bar = self.house, self.house.bars[0]
        daraja = house.pushes.daraja
        if "c2b" in services:
            made = await c2b_addresses.register(house.rt, daraja, bar.id, "sandbox", by="staff:owner")
            assert made.state == "registered", made.error_message
        if "asks" in services:
            house.simulator.merchants.validating.add(SHORTCODE)
            await c2b_addresses.set_rule(house.rt, bar.id, "sandbox", SHORTCODE, "open_references", by="staff:owner")
        if "acts" in services:
            await set_initiator(house.rt, bar.id, "sandbox", "barapi", Secret("Kaunta#2026"), by="staff:owner")
        if "list" in services:
            await pull.subscribe(house.rt, daraja, bar.id, "sandbox", "0700000001", by="staff:owner")
        for service in services:
            self.world.count(f"evenings with {service}")

    @initialize(first=st.lists(st.tuples(numbers, st.sampled_from(WORDS), st.sampled_from(FATES)), max_size=2))
    def the_first_guests_pay_by_hand(self, first: list[tuple[int, str, str]]) -> None:
        for number, words, fate in first:
            self.a_guest_pays_by_hand(number, PHONES[-1], 200, words, number, fate)

    @rule(
        tab=numbers, phone=phones, amount=st.one_of(st.integers(1, 300), st.sampled_from([100, 200, 200])),
        words=st.sampled_from(WORDS), which=numbers, fate=st.sampled_from(FATES),
    )  # fmt: skip
    def a_guest_pays_by_hand(self, tab: int, phone: str, amount: int, words: str, which: int, fate: str) -> None:
        chosen = self.house.tabs[tab % len(self.house.tabs)]
        payment = self.pick(list(self.books.payments.values()), which)
        reference = {
            "the tab's number": f"TAB {chosen.number}",
            "a payment's reference": payment.reference.replace("-", " ").lower() if payment else "",
            "something else": "rent",
        }.get(words, "")
        match fate:
            case "comes twice":
                self.house.simulator.outbox.rules.append(Rule(Action.DUPLICATE, kind="confirmation"))
            case "comes late":
                self.house.simulator.outbox.rules.append(Rule(Action.DELAY, kind="confirmation", seconds=70))
            case "is lost":
                self.house.simulator.outbox.rules.append(Rule(Action.DROP, kind="confirmation"))

        async def paying() -> object:
            try:
                taken = await self.house.simulator.pay_till(SHORTCODE, phone, amount, reference)
            except Declined as declined:
                self.world.count("payments by hand that were turned down")
                return declined.code
            await self.house.passes(1)
            self.world.count("payments by hand")
            return taken.receipt

        self.act(paying())

    def came(self, which: int) -> Taken | None:
        """One of the payments that Safaricom knows of."""
        return self.pick(list(paid_in(self.house).values()), which)

    @rule(tab=numbers, which=numbers, invented=st.sampled_from([False, False, True]), about=numbers)
    def a_guest_types_a_code(self, tab: int, which: int, invented: bool, about: int) -> None:
        """Their own, or another guest's, or one that nobody has: it moves no shilling."""
        chosen, taken = self.house.tabs[tab % len(self.house.tabs)], self.came(which)
        payment = self.pick([None, *self.on_tab(chosen.id)], about)
        code = f"TYPED{which:05d}" if invented or taken is None else taken.receipt

        async def typing() -> object:
            before = (await look(self.house)).ledger
            try:
                typed = await claim_code(self.house.rt, chosen.ref, code, payment.id if payment else None)
            except KauntaError as refusal:
                return refusal
            assert (await look(self.house)).ledger == before, "a typed code moved money"
            return typed.status

        self.act(typing())

    @rule(which=numbers, amount=st.integers(1, 300), number=numbers)
    def somebody_forges_a_confirmation(self, which: int, amount: int, number: int) -> None:
        """As anybody could write it who has seen one, under a secret that is nobody's."""
        payment = self.pick(list(self.books.payments.values()), which)
        if payment is None:
            return
        address = f"{self.house.settings.public_url}/c2b/{self.house.entropy.token()}/confirmation"
        said = (
            f'{{"TransID": "FORGED{number:04d}", "TransTime": "20261120203100", "TransAmount": "{amount}.00", '
            f'"BusinessShortCode": "{SHORTCODE}", "BillRefNumber": "{payment.reference}", "MSISDN": "2547 ***** 126"}}'
        )
        self.act(self.house.post.send(Letter("forged", "", address, {}, said.encode(), kind="confirmation")))
