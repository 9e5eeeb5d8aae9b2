"""The variables of limits: how often a phone is rung, an address may try, and we and a machine may ask.

Part of `settings.Settings`, which reads them with all others.
"""

from enum import StrEnum

from pydantic import BaseModel, Field


class AddressLimits(StrEnum):
    """What becomes of an address that asked for too many prompts in vain. A bar full of guests is one address."""

    ENFORCE = "enforce"
    LOG = "log"
    OFF = "off"


class LimitSettings(BaseModel):
    """What `Settings` knows about limits."""

    prompts_per_minute: int = Field(3, ge=1, le=3, description="Prompts one phone gets within a minute, at all bars.")
    prompts_per_hour: int = Field(10, ge=1, le=10, description="Prompts one phone gets within an hour, at all bars.")
    prompts_per_day: int = Field(50, ge=1, le=50, description="Prompts one phone gets within a day, at all bars.")
    prompts_in_vain: int = Field(
        3, ge=1, le=3, description="Prompts of one payer at one tab that may come to nothing within ten minutes."
    )
    address_limits: AddressLimits = Field(
        AddressLimits.LOG,
        description="Addresses that ask for prompts in vain: enforce, log or off. A bar's Wi-Fi is one address.",
    )
    address_tries_per_hour: int = Field(
        300,
        ge=20,
        le=10_000,
        description="Refused and failed tries an address has within an hour; one that paid today has 300 at least.",
    )
    queries_per_minute: float = Field(
        5, gt=0, le=10_000, description="STK queries a credential may ask a minute; Daraja's sandbox allows five."
    )
    api_per_minute: int = Field(600, ge=1, le=100_000, description="Requests one API key may make within a minute.")
