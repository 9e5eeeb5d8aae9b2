"""The address Safaricom answers to: one a payment, with a secret in it. Only its hash is kept."""

import hashlib


def callback_url(public_url: str, token: str) -> str:
    """`{origin}/cb/{64 hex}`: it finds the payment even when the push's answer was lost."""
    return f"{public_url}/cb/{token}"


def token_hash(token: str) -> bytes:
    """What the database keeps of a callback's token: 32 bytes."""
    return hashlib.sha256(token.encode()).digest()
