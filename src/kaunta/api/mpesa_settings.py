"""The M-Pesa settings API (contract.md): read without secrets, changed all or nothing, tested without money.

For the owner (a manager may switch on and off); a bar of somebody else does not exist here. Secrets go in and never
come out.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kaunta.access import roles, sessions
from kaunta.access.denials import note_denied
from kaunta.access.roles import May
from kaunta.api.machines import STAFF_COOKIE
from kaunta.api.payments import pushes, started
from kaunta.bars import mpesa_settings as settings
from kaunta.bars.connection import check_connection
from kaunta.bars.mpesa_settings import Settings, Wanted
from kaunta.bars.values import Environment
from kaunta.core.db import TRANSIENT_ERRORS
from kaunta.core.errors import BadRequest, DatabaseAway, KauntaError, NotFound, SignInNeeded
from kaunta.core.routes import LateRoute
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.web import misread, problem, runtime
from kaunta.payments.trial import Trial, start_trial

log = structlog.get_logger(__name__)


class SettingsRoute(LateRoute):
    """Every error here says that nothing was changed, in the fields the seeds' callers read."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                return refused(misread(error))
            except KauntaError as error:
                return refused(error)
            except TRANSIENT_ERRORS as error:
                log.error("request.failed", route=self.path, error=type(error).__name__)
                return refused(DatabaseAway())

        return answer


router = APIRouter(prefix="/api/mpesa-settings", tags=["settings"], route_class=SettingsRoute)

Text = Annotated[str | None, Field(max_length=40)]
SecretText = Annotated[SecretStr | None, Field(max_length=1_000)]


class SettingsBody(BaseModel):
    """The seeds' request. A secret that is absent or empty is kept; so is an absent till number, an empty one goes.

    `store_only`: keep the credentials for later and change neither the switch nor the environment.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    bar_id: UUID = Field(alias="barId")
    enabled: bool = Field(alias="mpesa_enabled", strict=True)
    environment: Environment = Field(alias="mpesa_environment")
    shortcode: Text = Field(alias="mpesa_business_shortcode", default=None)
    till_number: Text = Field(alias="mpesa_till_number", default=None)
    consumer_key: SecretText = Field(alias="mpesa_consumer_key", default=None)
    consumer_secret: SecretText = Field(alias="mpesa_consumer_secret", default=None)
    passkey: SecretText = Field(alias="mpesa_passkey", default=None)
    confirm_production: Text = None
    store_only: bool = Field(default=False, strict=True)

    def wanted(self) -> Wanted:
        def secret(value: SecretStr | None) -> Secret | None:
            text = value.get_secret_value().strip() if value else ""
            return Secret(text) if text else None

        return Wanted(
            enabled=self.enabled,
            environment=self.environment,
            business_shortcode=(self.shortcode or "").strip() or None,
            till_number=None if self.till_number is None else self.till_number.strip(),
            consumer_key=secret(self.consumer_key),
            consumer_secret=secret(self.consumer_secret),
            passkey=secret(self.passkey),
            confirm_production=self.confirm_production,
            store_only=self.store_only,
        )


class TestBody(SettingsBody):
    """Stored credentials of an environment, or those given here."""

    enabled: bool = Field(alias="mpesa_enabled", default=False)


class TestPaymentBody(BaseModel):
    """A shilling to this phone, with the stored credentials of the named environment."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    bar_id: UUID = Field(alias="barId")
    environment: Environment = Field(alias="mpesa_environment")
    phone: str = Field(alias="phoneNumber", min_length=1, max_length=64)
    confirm_production: Text = None


@router.get("")
async def show(request: Request, bar_id: Annotated[UUID, Query(alias="barId")]) -> JSONResponse:
    """A bar's settings; secrets show as fingerprints."""
    rt = runtime(request)
    await person(request, bar_id, May.SWITCH)
    return JSONResponse(as_json(await settings.read_settings(rt, bar_id)), headers={"Cache-Control": "no-store"})


@router.post("")
async def save(request: Request, body: SettingsBody) -> JSONResponse:
    """Store, switch and answer from what was committed; any failure changes nothing and says why."""
    rt = runtime(request)
    wanted = body.wanted()
    actor = await may_change(request, rt, body.bar_id, wanted)
    saved = await settings.save_settings(rt, pushes(request).daraja, body.bar_id, wanted, by=actor)
    message = "M-Pesa is on." if saved.settings.enabled else "M-Pesa is off."
    if wanted.store_only:
        message = f"Stored for later. {message}"
    return JSONResponse(
        {
            "success": True,
            "message": " ".join([message, *saved.settings.warnings]),
            "sync_status": {
                "credentials_updated": saved.sync.credentials_updated,
                "bar_status_updated": saved.sync.bar_status_updated,
            },
            "settings": as_json(saved.settings),
        }
    )


@router.post("/test")
async def test(request: Request, body: TestBody) -> JSONResponse:
    """Go through the connection to Safaricom step by step; no money moves."""
    rt = runtime(request)
    actor = await person(request, body.bar_id, May.CREDENTIALS)
    steps = await check_connection(rt, pushes(request).daraja, body.bar_id, body.wanted(), by=actor)
    failed = [step for step in steps if step.essential and not step.ok]
    warned = [step.detail for step in steps if not step.essential and not step.ok]
    message = failed[0].detail if failed else " ".join(["The connection works.", *warned])
    return JSONResponse({"success": not failed, "message": message, "steps": [asdict(step) for step in steps]})


@router.post("/test-payment", status_code=202)
async def test_payment(request: Request, body: TestPaymentBody) -> JSONResponse:
    """Ring a phone of the bar's own for one shilling, whatever the bar's environment and switch are. The answer is
    that of a payment; `GET /api/payments/mpesa/status/{transactionId}` tells what became of it."""
    actor = await person(request, body.bar_id, May.CREDENTIALS)
    wish = Trial(body.bar_id, body.environment, body.phone, body.confirm_production, actor)
    return await started(request, await start_trial(runtime(request), pushes(request), wish))


async def person(request: Request, bar_id: UUID, *what: May, recently: bool = False) -> str:
    """Who calls, if their role at this bar allows it; `recently`: and password and code were just entered, as the
    counter's pages ask for it. A stranger learns nothing: 404."""
    rt = runtime(request)
    session = await sessions.session_of(rt, request.cookies.get(STAFF_COOKIE))
    if session is None:
        raise SignInNeeded
    membership = session.at(bar_id)
    if membership is None:
        raise NotFound("There is no such bar.")
    try:
        for each in what:
            roles.require(membership.role, each)
    except roles.RoleRefused as error:
        await note_denied(rt, session.account_id, bar_id, error)
        raise
    if recently:
        sessions.require_proof(rt, session)
    return f"staff:{session.account_id}"


async def may_change(request: Request, rt: Runtime, bar_id: UUID, wanted: Wanted) -> str:
    """The owner, after a recent proof, may change everything; a manager may switch on and off."""
    actor = await person(request, bar_id, May.SWITCH)
    present = await settings.read_settings(rt, bar_id)
    if settings.may_be_a_managers(wanted, present):
        return actor
    return await person(request, bar_id, May.CREDENTIALS, recently=True)


def refused(error: KauntaError) -> JSONResponse:
    """The problem, with the request's name of its field and the seeds' word that nothing was changed."""
    field = error.fields.get("field")
    if isinstance(error, BadRequest):
        error.fields["field"] = f"mpesa_{field}" if field else None
    error.fields["sync_status"] = {"credentials_updated": False, "bar_status_updated": False}
    return problem(error)


def as_json(found: Settings) -> dict[str, Any]:
    return {
        "barId": str(found.bar_id),
        "mpesa_enabled": found.enabled,
        "mpesa_environment": found.environment,
        "available": found.unavailable is None,
        "unavailable_reason": found.unavailable,
        "suspended": None
        if found.suspension is None
        else {
            "reason": found.suspension.reason,
            "until": found.suspension.until.isoformat() if found.suspension.until else None,
        },
        "warnings": list(found.warnings),
        "go_live": {"enforced": found.go_live_enforced, "gates": [asdict(gate) for gate in found.go_live]},
        "credentials": [
            {
                "environment": row.environment,
                "mpesa_business_shortcode": row.business_shortcode,
                "mpesa_till_number": row.till_number,
                "is_active": row.is_active,
                "version": row.version,
                "updated_at": row.updated_at.isoformat(),
                "test_status": row.test_status,
                "tested_at": row.tested_at.isoformat() if row.tested_at else None,
                "fingerprints": row.fingerprints,
            }
            for row in found.credentials
        ],
    }
