"""What Safaricom writes beside a result code: once in the callback, often differently in the query's answer.

Texts are those of published payloads and of the portal's table of result codes. Nothing should ever be decided by
them; they are here because a reader of callbacks must not trip over them.
"""

PAID = "The service request is processed successfully."
STILL_PROCESSING = "The transaction is still under processing"
#: The ResponseDescription of a query, spelled as it is on the wire.
QUERY_ACCEPTED = "The service request has been accepted successsfully"
PUSH_ACCEPTED = "Success. Request accepted for processing"
#: The acknowledgement of a call whose result comes later; the balance's has no full stop.
CALL_ACCEPTED = "Accept the service request successfully."
BALANCE_ACCEPTED = "Accept the service request successfully"

IN_CALLBACK = {
    "0": PAID,
    "1": "The balance is insufficient for the transaction",
    "2": "The amount is less than the minimum transaction value limit.",
    "3": "The amount is greater than the maximum transaction value limit.",
    "4": "The transaction would exceed the daily transfer limit.",
    "8": "The transaction would exceed the maximum balance.",
    "11": "The debit party is in an invalid state.",
    "17": "Rule limited.",
    "26": "Traffic blocking condition in place, the system is busy.",
    "1001": "Unable to lock subscriber, a transaction is already in process for the current subscriber",
    "1019": "Transaction has expired",
    "1025": "An error occurred while sending a push request",
    "1031": "Request cancelled by user",
    "1032": "Request cancelled by user",
    "1036": "SMSC ACK timeout.",
    "1037": "DS timeout user cannot be reached",
    "1050": "The request could not be completed.",
    "2001": "The initiator information is invalid.",
    "2002": "The agent number and the store number do not match.",
    "2028": "The request is not permitted according to product assignment.",
    "4999": STILL_PROCESSING,
    "8006": "The security credential is locked.",
    "9999": "An error occurred while sending a push request",
    "E3008": "Error, the user has a bad debt contract.",
    "SFC_IC0003": "The operator does not exist.",
}

#: Where the query's words differ from the callback's for one and the same payment.
IN_QUERY = {"1037": "DS timeout user cannot be reached."}


def in_callback(code: str) -> str:
    return IN_CALLBACK.get(code, "The request failed.")


def in_query(code: str) -> str:
    return IN_QUERY.get(code) or in_callback(code)


#: The results of status, reversal and balance calls. 2006 and 2028 have no published text of these APIs.
IN_RESULT = {
    "1": "The balance is insufficient for the transaction.",
    "17": "Rule limited.",
    "21": "The initiator is not allowed to initiate this request.",
    "2001": "The initiator information is invalid.",
    "2006": "Declined due to account rule.",
    "2028": "The request is not permitted according to product assignment.",
    "2032": "The transaction receipt number does not exist.",
    "R000001": "The transaction has already been reversed.",
    "R000002": "The OriginalTransactionID is invalid.",
}


def in_result(code: str, api: str) -> str:
    """The balance's success has no full stop."""
    if code == "0":
        return PAID.removesuffix(".") if api == "balance" else PAID
    return IN_RESULT.get(code) or in_callback(code)
