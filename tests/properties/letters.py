"""What arrives: letters kept back, late, doubled, forged; prompts answered; Safaricom in trouble."""

import asyncio
import json
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import rule

from kaunta.simulator.faults import Fault
from kaunta.simulator.pushes import Message as Letter
from kaunta.simulator.pushes import Push

from .evening import Evening
from .guests import numbers
from .scenarios import AT_ONCE, CODES

SECONDS = (1, 5, 21, 31, 61, 125, 301, 425, 1_900, 4_000, 90_000)
#: What somebody forges is mostly that it was paid.
lies = st.one_of(st.just("0"), st.sampled_from(CODES))
TOKENS = ("none", "wrong", "another's", "another's")


class Letters(Evening):
    """Rules of the machines' door."""

    @rule(seconds=st.sampled_from(SECONDS))
    def time_passes(self, seconds: int) -> None:
        self.act(self.house.passes(seconds))

    @rule(what=st.sampled_from(["keeps", "keeps", "brings", "loses"]), number=numbers)
    def the_post(self, what: str, number: int) -> None:
        """Keeps letters back from now, or brings them as they come, or loses one it has kept."""
        post = self.house.post
        if what != "loses":
            post.keeps_back = what == "keeps"
        elif (letter := self.pick(post.kept, number)) is not None:
            post.kept.remove(letter)
            post.lost.append(letter)

    @rule(chosen=st.lists(st.tuples(numbers, st.integers(1, 3)), min_size=1, max_size=4), at_once=st.booleans())
    def letters_arrive(self, chosen: list[tuple[int, int]], at_once: bool) -> None:
        post = self.house.post
        arriving: list[Letter] = []
        for number, copies in chosen:
            letter = self.pick(post.kept, number)
            if letter is not None:
                post.kept.remove(letter)
                arriving += [letter] * copies
        self.act(self.deliver(arriving, at_once))

    @rule(chosen=st.lists(numbers, min_size=1, max_size=4), at_once=st.booleans())
    def letters_are_repeated(self, chosen: list[int], at_once: bool) -> None:
        past = [letter for letter in self.house.post.letters if letter not in self.house.post.kept]
        again = [letter for number in chosen if (letter := self.pick(past, number)) is not None]
        self.act(self.deliver(again, at_once))

    async def deliver(self, letters: Sequence[Letter], at_once: bool) -> list[int | str]:
        if at_once:
            return await asyncio.gather(*map(self.house.post.send, letters))
        return [await self.house.post.send(letter) for letter in letters]

    @rule(number=numbers, code=st.sampled_from(CODES))
    def a_prompt_is_answered(self, number: int, code: str) -> None:
        waiting = [push for push in self.house.simulator.pushes.values() if push.result is None]
        push = self.pick(waiting, number)
        if push is not None:

            async def answering() -> None:
                self.house.simulator.answer(push.checkout_id, code)
                await self.house.passes(0)

            self.act(answering())

    @rule(about=numbers, token=st.sampled_from(TOKENS), of=numbers, code=lies, known=st.booleans())
    def somebody_forges_a_letter(self, about: int, token: str, of: int, code: str, known: bool) -> None:
        """A callback that names a push and does not come with its token; `another's` is a token that is a payment's."""
        pushes = list(self.house.simulator.pushes.values())
        named = self.pick(pushes, about)
        other = self.pick([push for push in pushes if push is not named], of)
        if named is None or (token == "another's" and other is None):
            return
        self.act(self.forge(named, other, token, code, known))

    async def forge(self, named: Push, other: Push | None, token: str, code: str, known: bool) -> int | str:
        public = self.house.settings.public_url
        match token:
            case "none":
                url = f"{public}/api/payments/mpesa/callback"
            case "wrong":
                url = f"{public}/cb/{self.house.entropy.token()}"
            case _:
                assert other is not None
                url = other.wanted.callback_url
        receipt = named.receipt if known and named.receipt else f"FORGED{self.steps:04d}"
        return await self.house.post.send(Letter("forged", named.checkout_id, url, {}, forgery(named, code, receipt)))

    @rule(
        what=st.sampled_from(["answers", "answers", "forgets tokens", "is away", "is well", "is well"]),
        api=st.sampled_from(["oauth", "push", "query"]),
        reply=st.sampled_from(AT_ONCE),
        times=st.integers(1, 2),
    )
    def safaricom_stumbles(self, what: str, api: str, reply: str, times: int) -> None:
        match what:
            case "answers":
                self.house.simulator.faults.add(Fault(api, reply, times))
            case "forgets tokens":
                self.house.simulator.tokens.expire()
            case "is away":
                self.act(self.house.host.refuse())
            case _:
                self.house.simulator.faults.clear()
                self.act(self.house.host.accept())


def forgery(named: Push, code: str, receipt: str) -> bytes:
    """A letter as anybody could write it who has seen one."""
    items = [
        {"Name": "Amount", "Value": named.wanted.amount},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "PhoneNumber", "Value": int(named.wanted.phone)},
    ]
    said = {
        "MerchantRequestID": named.merchant_id,
        "CheckoutRequestID": named.checkout_id,
        "ResultCode": int(code) if code.isdigit() else code,
        "ResultDesc": "forged",
        **({"CallbackMetadata": {"Item": items}} if code == "0" else {}),
    }
    return json.dumps({"Body": {"stkCallback": said}}).encode()
