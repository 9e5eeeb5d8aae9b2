"""The settings of direct money: where Safaricom posts payments at the till, in whose name the bar gives money back, and
its subscription to the list of payments. For the owner; passwords go in and never come out.
"""

from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kaunta.access.roles import May
from kaunta.api.mpesa_settings import SettingsRoute, person
from kaunta.api.payments import pushes
from kaunta.bars.values import Environment
from kaunta.core.secret import Secret
from kaunta.core.web import runtime
from kaunta.payments import c2b_addresses, initiators, pull

router = APIRouter(prefix="/api/mpesa-settings", tags=["settings"], route_class=SettingsRoute)

BarId = Annotated[UUID, Query(alias="barId")]


class Named(BaseModel):
    """Which bar, and which of its credentials."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    bar_id: UUID = Field(alias="barId")
    environment: Environment = Field(alias="mpesa_environment")


class C2bBody(Named):
    """`register`: tell Safaricom; without it only the rule is changed. `rule`: what is accepted when Safaricom asks."""

    registers: bool = Field(alias="register", default=True, strict=True)
    api_version: Literal["v1", "v2"] = "v2"
    response_type: Literal["Completed", "Cancelled"] = "Completed"
    shortcode: Annotated[str | None, Field(max_length=10)] = None
    rule: Literal["all", "open_references"] | None = None


class InitiatorBody(Named):
    """A password that is absent or empty is kept; an empty name takes the initiator away."""

    name: str = Field(alias="mpesa_initiator_name", max_length=64)
    password: SecretStr | None = Field(alias="mpesa_initiator_password", default=None, max_length=200)


class PullBody(Named):
    """`nominated_number`: the phone registered with Safaricom for the list. None: ask for the list no more."""

    nominated_number: Annotated[str | None, Field(max_length=40)] = None


@router.get("/direct")
async def read(request: Request, bar_id: BarId) -> JSONResponse:
    """How registrations, initiators and subscriptions stand. The addresses hold a secret: never cached."""
    await person(request, bar_id, May.CREDENTIALS)
    rt = runtime(request)
    subscriptions = await pull.shown(rt, bar_id)
    return answer(
        {
            "barId": str(bar_id),
            "c2b": [asdict(each) for each in await c2b_addresses.status(rt, bar_id)],
            "initiators": [asdict(each) for each in await initiators.shown(rt, bar_id)],
            "pull": [
                {
                    "environment": each.environment,
                    "shortcode": each.shortcode,
                    "active": each.next_pull_at is not None,
                    "pulled_at": each.pulled_at,
                    "error": each.error,
                }
                for each in subscriptions
            ],
        }
    )


@router.post("/c2b")
async def register(request: Request, body: C2bBody) -> JSONResponse:
    """Register the bar's shortcode for direct payments, or change what is accepted; a refusal is explained."""
    actor = await person(request, body.bar_id, May.CREDENTIALS)
    rt = runtime(request)
    status = None
    if body.registers:
        status = await c2b_addresses.register(
            rt, pushes(request).daraja, body.bar_id, body.environment, by=actor, version=body.api_version,
            response_type=body.response_type, shortcode=body.shortcode,
        )  # fmt: skip
    if body.rule is not None:
        shortcode = status.shortcode if status else body.shortcode
        await c2b_addresses.set_rule(rt, body.bar_id, body.environment, shortcode, body.rule, by=actor)
    stands = await c2b_addresses.status(rt, body.bar_id)
    good = status is None or status.state == "registered"
    message = "Registered." if good else (status.remedy if status else None) or ""
    return answer({"success": good, "message": message, "c2b": [asdict(each) for each in stands]})


@router.post("/initiator")
async def initiator(request: Request, body: InitiatorBody) -> JSONResponse:
    """Set, or take away, in whose name money is given back and codes are checked."""
    actor = await person(request, body.bar_id, May.CREDENTIALS, recently=True)
    rt = runtime(request)
    if body.name.strip():
        given = body.password.get_secret_value() if body.password else ""
        password = Secret(given) if given else None
        await initiators.set_initiator(rt, body.bar_id, body.environment, body.name, password, by=actor)
    else:
        await initiators.forget_initiator(rt, body.bar_id, body.environment, by=actor)
    shown = await initiators.shown(rt, body.bar_id)
    return answer({"success": True, "message": "Saved.", "initiators": [asdict(each) for each in shown]})


@router.post("/pull")
async def subscribe(request: Request, body: PullBody) -> JSONResponse:
    """Subscribe the shortcode to the list of its payments, or ask for it no more."""
    actor = await person(request, body.bar_id, May.CREDENTIALS)
    rt = runtime(request)
    if body.nominated_number:
        await pull.subscribe(rt, pushes(request).daraja, body.bar_id, body.environment, body.nominated_number, by=actor)
        return answer({"success": True, "message": "Safaricom's list is asked for every few minutes."})
    await pull.stop(rt, body.bar_id, body.environment, by=actor)
    return answer({"success": True, "message": "The list is asked for no more."})


def answer(data: dict[str, Any]) -> JSONResponse:
    """Times as ISO texts, nothing kept by anybody on the way."""
    return JSONResponse(plain(data), headers={"Cache-Control": "no-store"})


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
