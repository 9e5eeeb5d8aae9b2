"""Brings about, on a simulator whose time stands still, what a published payload is a record of."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kaunta.simulator.catalogue import scenario_named
from kaunta.simulator.notices import Naming
from kaunta.simulator.pushes import Payment
from kaunta.simulator.rules import Action, Rule
from kaunta.simulator.scenarios import altered
from kaunta.simulator.simulator import Simulator

from .merchant import PASSKEY, Merchant, Till

REGISTER = "/mpesa/c2b/{}/registerurl"
SIMULATE = "/mpesa/c2b/v2/simulate"
STATUS = "/mpesa/transactionstatus/v1/query"
REVERSE = "/mpesa/reversal/v1/request"
BALANCE = "/mpesa/accountbalance/v1/query"
PULL = "/pulltransactions/v1/{}"
QR = "/mpesa/qrcode/v1/generate"
SHORTCODE, GUEST = "600984", "254708374149"


@dataclass
class Stage:
    """A till, its merchant, and Safaricom."""

    till: Till
    merchant: Merchant
    simulator: Simulator

    @property
    def base(self) -> str:
        return self.merchant.url.rpartition("/cb/")[0]

    async def last(self) -> Any:
        """What the merchant was told last, once everything has happened."""
        await self.simulator.settle()
        return json.loads(self.merchant.received[-1].body)

    async def answer(self, path: str, body: object) -> Any:
        answered = await self.till.post(path, body)
        return {"http": answered.status, "body": answered.json if answered.body else ""}

    # STK

    async def callback(self, scenario: str = "paid", **changes: object) -> Any:
        self.simulator.queue_scenario(altered(scenario_named(scenario), changes))
        await self.till.push()
        return await self.last()

    async def changed(self, **places: object) -> Any:
        """A success callback with members of its Item list altered on the way."""
        path = "Body.stkCallback.CallbackMetadata.Item."
        changes = {path + name: value for name, value in places.items()}
        self.simulator.outbox.rules.append(Rule(Action.ALTER, changes=changes))
        return await self.callback()

    async def query(self, scenario: str, *, settled: bool = True, **changes: object) -> Any:
        self.simulator.queue_scenario(altered(scenario_named(scenario), changes))
        checkout_id = await self.till.pushed()
        if settled:
            await self.simulator.settle()
        answered = await self.till.query(checkout_id)
        return {"http": answered.status, "body": answered.json}

    async def push_to_till(self, store: str, till: str, **changes: object) -> Any:
        signed = self.till.signed()
        password = base64.b64encode(f"{store}{PASSKEY}{signed['Timestamp']}".encode()).decode()
        wanted = {"BusinessShortCode": store, "PartyB": till, "TransactionType": "CustomerBuyGoodsOnline"}
        return await self.till.push(Password=password, **wanted | changes)

    # C2B

    async def register(self, version: str = "v2", shortcode: str = SHORTCODE) -> Any:
        urls = {"ConfirmationURL": f"{self.base}/confirmation", "ValidationURL": f"{self.base}/validation"}
        wanted = {"ShortCode": shortcode, "ResponseType": "Completed"} | urls
        return await self.answer(REGISTER.format(version), wanted)

    async def confirmation(self, version: str = "v2", reference: str = "TB-7F3K", naming: Naming | None = None) -> Any:
        await self.register(version)
        if naming is not None:
            object.__setattr__(self.simulator.options, "c2b_msisdn", naming.value)
        await self.simulator.pay_till(SHORTCODE, GUEST, 500, reference)
        return await self.last()

    async def told_twice(self) -> Any:
        """The callback and the confirmation of one STK payment."""
        await self.register(shortcode="174379")
        self.simulator.queue_scenario(altered(scenario_named("paid"), {"callbacks": [{"balance": "absent"}]}))
        await self.till.push()
        await self.simulator.settle()
        return [json.loads(each.body) for each in self.merchant.received]

    # Calls with a later result

    async def paid(self) -> Payment:
        return await self.simulator.pay_till(SHORTCODE, GUEST, 500, "TB-7F3K")

    def asking(self, **fields: object) -> Mapping[str, object]:
        common = {"Initiator": "testapi", "SecurityCredential": "c2VhbGVk", "Remarks": "A round too many"}
        urls = {"ResultURL": f"{self.base}/result", "QueueTimeOutURL": f"{self.base}/timeout"}
        return common | urls | fields

    async def status(self, receipt: str, **fields: object) -> Any:
        wanted: dict[str, object] = {
            "CommandID": "TransactionStatusQuery",
            "TransactionID": receipt,
            "PartyA": SHORTCODE,
        }
        return await self.answer(STATUS, self.asking(**{"IdentifierType": "4"} | wanted | fields))

    async def reverse(self, receipt: str, amount: object = 200, **fields: object) -> Any:
        wanted: dict[str, object] = {
            "CommandID": "TransactionReversal",
            "TransactionID": receipt,
            "ReceiverParty": SHORTCODE,
        }
        misspelt = {"RecieverIdentifierType": "11", "Amount": amount}
        return await self.answer(REVERSE, self.asking(**misspelt | wanted | fields))

    async def balance(self, **fields: object) -> Any:
        wanted = {"CommandID": "AccountBalance", "PartyA": SHORTCODE, "IdentifierType": "4"}
        return await self.answer(BALANCE, self.asking(**wanted | fields))

    # Pull and QR

    async def pull_register(self) -> Any:
        wanted = {"ShortCode": SHORTCODE, "RequestType": "Pull", "NominatedNumber": "0722000000"}
        return await self.answer(PULL.format("register"), wanted | {"CallBackURL": f"{self.base}/pull"})

    async def pull(self, start: str = "2026-11-20 00:00:00", end: str = "2026-11-21 00:00:00", **fields: object) -> Any:
        wanted = {"ShortCode": SHORTCODE, "StartDate": start, "EndDate": end, "OffSetValue": "0"}
        return await self.answer(PULL.format("query"), wanted | fields)

    async def qr(self, **fields: object) -> Any:
        wanted = {"MerchantName": "TEST SUPERMARKET", "RefNo": "Invoice Test", "Amount": 1, "TrxCode": "BG"}
        return await self.answer(QR, wanted | {"CPI": "373132", "Size": "300"} | fields)
