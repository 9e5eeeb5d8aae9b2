"""An environment's credentials: secrets go in and never come out, an empty field keeps what is there.

Saving is what the settings API does: checked for shape, asked of Safaricom, sealed, stored and noted, all or nothing.
It never switches anything: M-Pesa is switched, and the environment changed, on pages of their own.
"""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.access.sessions import require_proof
from kaunta.bars.mpesa_settings import CredentialsNotAccepted, Wanted, read_settings, save_settings
from kaunta.bars.readiness import queries
from kaunta.bars.values import Environment
from kaunta.core.errors import KauntaError
from kaunta.core.secret import Secret
from kaunta.core.web import runtime
from kaunta.credentials import queries as credential_queries
from kaunta.payments import initiators
from kaunta.payments.under_way import Pushes
from kaunta.staff.actors import names
from kaunta.staff.pages import CounterRoute
from kaunta.staff.session import AtCounter, Post, Posted, Seat
from kaunta.staff.settings_mpesa import PATH, environment_named, settings_page

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: What is never shown again, and how people call it.
SECRETS = (("consumer_key", "Consumer key"), ("consumer_secret", "Consumer secret"), ("passkey", "Passkey"))
LONGEST_SECRET = 1_000


async def credentials_page(
    request: Request,
    seat: Seat,
    environment: Environment,
    *,
    error: KauntaError | None = None,
    post: Post | None = None,
    done: str | None = None,
) -> Response:
    """The form, with the numbers that were typed and no secret that was."""
    rt = runtime(request)
    found = await read_settings(rt, seat.bar_id)
    stored = next((row for row in found.credentials if row.environment == environment), None)
    acting = {row.environment: row for row in await initiators.shown(rt, seat.bar_id)}
    async with rt.db.acquire() as db:
        rows = await credential_queries.stored(db, seat.bar_id)
        id_: UUID | None = next(
            (row.sealed.credential_id for row in rows if row.sealed.environment == environment), None
        )
        custody = await queries.custody(db, str(id_)) if id_ else None
        name = await names(db, seat.bar_id)
    return settings_page(
        request,
        "settings_mpesa_credentials.html",
        seat,
        error=error,
        done=done,
        edited=environment,
        in_use=environment == found.environment,
        stored=stored,
        custody=custody,
        secrets=SECRETS,
        wrong=wrong_fields(error),
        shortcode=post.text("business_shortcode")[:10] if post else stored.business_shortcode if stored else "",
        till=post.text("till_number")[:10] if post else (stored.till_number or "") if stored else "",
        initiator=acting.get(environment),
        initiator_name=post.text("initiator_name")[:64] if post else "",
        now=rt.clock.now(),
        name=name,
    )


def wrong_fields(error: KauntaError | None) -> frozenset[str]:
    """Which fields an error is about. Safaricom says of a pair only that it is not one."""
    if isinstance(error, CredentialsNotAccepted):
        return frozenset({"consumer_key", "consumer_secret"})
    field = error.fields.get("field") if error else None
    return frozenset({str(field)} if field else ())


@router.get(PATH + "/credentials/{environment}")
async def show_credentials(request: Request, environment: str, seat: AtCounter) -> Response:
    """The owner's; asks for the password first, so that nothing typed is lost afterwards."""
    seat.require(May.CREDENTIALS)
    named = environment_named(environment)
    require_proof(runtime(request), seat.session)
    return await credentials_page(request, seat, named)


@router.post(PATH + "/credentials/{environment}")
async def save_credentials(request: Request, environment: str, post: Posted) -> Response:
    """Store new credentials, all or nothing."""
    seat, rt = post.seat, runtime(request)
    seat.require(May.CREDENTIALS)
    named = environment_named(environment)
    require_proof(rt, seat.session)
    pushes: Pushes = request.app.state.pushes
    wanted = Wanted(
        enabled=False,
        environment=named,
        business_shortcode=post.text("business_shortcode").strip() or None,
        till_number=post.text("till_number").strip(),
        consumer_key=secret(post, "consumer_key"),
        consumer_secret=secret(post, "consumer_secret"),
        passkey=secret(post, "passkey"),
        store_only=True,
    )
    try:
        await save_settings(rt, pushes.daraja, seat.bar_id, wanted, by=f"staff:{seat.account_id}")
    except KauntaError as error:
        return await credentials_page(request, seat, named, error=error, post=post)
    done = "Safaricom took them, and they are stored. A test payment shows whether the passkey is right too."
    return await credentials_page(request, seat, named, done=done)


@router.post(PATH + "/initiator/{environment}")
async def save_initiator(request: Request, environment: str, post: Posted) -> Response:
    """In whose name refunds and questions go out; an empty password is kept."""
    seat, rt = post.seat, runtime(request)
    seat.require(May.CREDENTIALS)
    named = environment_named(environment)
    require_proof(rt, seat.session)
    try:
        await initiators.set_initiator(
            rt, seat.bar_id, named, post.text("initiator_name"), secret(post, "initiator_password"),
            by=f"staff:{seat.account_id}",
        )  # fmt: skip
    except KauntaError as error:
        return await credentials_page(request, seat, named, error=error)
    return await credentials_page(request, seat, named, done="The initiator is stored.")


@router.post(PATH + "/initiator/{environment}/forget")
async def forget_initiator(request: Request, environment: str, post: Posted) -> Response:
    """No refunds and questions through M-Pesa any more."""
    seat, rt = post.seat, runtime(request)
    seat.require(May.CREDENTIALS)
    named = environment_named(environment)
    require_proof(rt, seat.session)
    await initiators.forget_initiator(rt, seat.bar_id, named, by=f"staff:{seat.account_id}")
    return RedirectResponse(f"{PATH}/credentials/{named}", 303)


def secret(post: Post, name: str) -> Secret | None:
    """A secret as typed; None where the field was left empty. One that is too long is refused as it is."""
    text = post.text(name).strip()[: LONGEST_SECRET + 1]
    return Secret(text) if text else None
