"""The probes: each looks at the thing itself, on this very installation, when the checklist is opened.

They are asked of the stored production credentials, as the gates of going live are (go_live.py); the gates stand in
the way of the switch, the checklist shows the rest.
"""

from kaunta.bars import go_live
from kaunta.bars.connection import HEARTBEAT_SECONDS, SKEW_SECONDS
from kaunta.bars.go_live import Gate
from kaunta.bars.mpesa_switch import validate_sync
from kaunta.bars.readiness import queries
from kaunta.bars.readiness.items import Finding, Probe, Scene
from kaunta.core import queries as core_queries
from kaunta.core.migrate import compare, describe, expected_schema, head_revision
from kaunta.core.vault import context
from kaunta.settings import CallbackSources, Mode

#: Results by which Safaricom says that the shortcode is of another kind than the push (daraja.md §1).
MISFITS = ("2028", "SFC_IC0003")
#: An initiator's password that ends sooner is as good as ended, policy seconds.
PASSWORD_LEFT_SECONDS = 14 * 86_400.0


def found(gate: Gate) -> Finding:
    return Finding(gate.ok, gate.detail)


async def real_money(scene: Scene) -> Finding:
    settings = scene.rt.settings
    if settings.mode is not Mode.PRODUCTION:
        return Finding(False, "This installation runs for development.")
    host = settings.daraja_url("production")
    return Finding(go_live.enforced(scene.rt), f"Production mode; payments go to {host}.")


async def credentials(scene: Scene) -> Finding:
    return found(go_live.stored_gate(scene.rt, scene.row))


async def token(scene: Scene) -> Finding:
    return found(go_live.connection_gate(scene.rt, scene.row))


async def pushed(scene: Scene) -> queries.Pushed:
    if scene.row is None:
        return queries.Pushed(None, None, None, None)
    sealed = scene.row.sealed
    return await queries.pushed(scene.db, sealed.credential_id, sealed.version, list(MISFITS))


async def passkey(scene: Scene) -> Finding:
    at = (await pushed(scene)).accepted_at
    if at is None:
        return Finding(False, "Safaricom has taken no payment request with this version.")
    return Finding(True, f"Safaricom took a payment request with it at {at.isoformat(timespec='seconds')}.")


async def shortcode(scene: Scene) -> Finding:
    seen = await pushed(scene)
    if seen.misfit_at is not None and (seen.paid_at is None or seen.paid_at <= seen.misfit_at):
        return Finding(False, f"Safaricom called it unfit at {seen.misfit_at.isoformat(timespec='seconds')}.")
    if scene.row is None or seen.paid_at is None:
        return Finding(False, "No payment has shown of which kind the shortcode is.")
    kind = "a till" if scene.row.sealed.till_number else "a paybill"
    return Finding(True, f"Paid as {kind} at {seen.paid_at.isoformat(timespec='seconds')}.")


async def test_payment(scene: Scene) -> Finding:
    return found(await go_live.payment_gate(scene.db, scene.row))


async def stk_query(scene: Scene) -> Finding:
    at = (await pushed(scene)).asked_at
    if at is None:
        return Finding(False, "Safaricom was asked about no payment of this version yet.")
    return Finding(True, f"Safaricom told how a payment ended at {at.isoformat(timespec='seconds')}.")


async def callback_url(scene: Scene) -> Finding:
    return found(go_live.callback_gate(scene.rt))


async def callback_sources(scene: Scene) -> Finding:
    sources = scene.rt.settings.callback_sources
    networks = len(scene.rt.settings.callback_networks)
    if sources is CallbackSources.OFF or not networks:
        return Finding(False, "Nobody looks at where callbacks come from.")
    done = "not believed" if sources is CallbackSources.ENFORCE else "noted"
    return Finding(True, f"{networks} addresses are Safaricom's; a callback from elsewhere is {done}.")


async def keyring(scene: Scene) -> Finding:
    rt, aad = scene.rt, context("credential", scene.bar_id.hex, "production", "readiness", 0)
    probe = rt.entropy.bytes(32)
    same = rt.keyring.open(rt.keyring.seal(probe, aad, rt.entropy), aad) == probe
    return Finding(same, "What is sealed now opens again.")


async def database(scene: Scene) -> Finding:
    revision, head = await core_queries.schema_revision(scene.db), head_revision()
    if revision != head:
        return Finding(False, f"The database stands at {revision}, the program needs {head}.")
    drift = compare(expected_schema(), await describe(scene.db))
    if drift:
        count = len(drift.missing) + len(drift.unexpected)
        return Finding(False, f"The schema differs from the program's in {count} lines.")
    return Finding(True, f"At {head}, and as the program knows it.")


async def switch(scene: Scene) -> Finding:
    sync = await validate_sync(scene.db, scene.bar_id)
    return Finding(sync.consistent, "Credentials and bar agree." if sync.consistent else "They disagree.")


async def worker(scene: Scene) -> Finding:
    seen = await core_queries.newest_heartbeat(scene.db)
    if seen is None:
        return Finding(False, "No worker has ever run.")
    silent = scene.rt.clock.elapsed(seen)
    return Finding(silent <= HEARTBEAT_SECONDS, f"A worker was last seen {max(round(silent), 0):,} s ago.")


async def clocks(scene: Scene) -> Finding:
    apart = abs((await queries.database_time(scene.db) - scene.rt.clock.now()).total_seconds())
    return Finding(apart <= SKEW_SECONDS, f"This server and the database differ by {round(apart):,} s.")


async def owners(scene: Scene) -> Finding:
    count = await queries.owners_who_can_get_in(scene.db, scene.bar_id)
    some = f"{count} owner{'' if count == 1 else 's'}" if count else "No owner"
    return Finding(count > 0, f"{some} with a second factor and recovery codes.")


async def initiator(scene: Scene) -> Finding:
    there = await queries.initiator_dates(scene.db, scene.bar_id, "production")
    if there is None:
        return Finding(False, "None is set: refunds are made by hand.")
    if there.refused:
        return Finding(False, "Safaricom refused it.")
    last = there.expires_at.date().isoformat()
    return Finding(there.expires_at > scene.rt.clock.after(PASSWORD_LEFT_SECONDS), f"Its password lives until {last}.")


async def direct_payments(scene: Scene) -> Finding:
    at = None
    if scene.row is not None:
        sealed = scene.row.sealed
        at = await queries.registered_at(scene.db, scene.bar_id, "production", sealed.business_shortcode)
    if at is None:
        return Finding(False, "Payments at the till are not told to us: the shortcode is not registered.")
    return Finding(True, f"Registered at {at.isoformat(timespec='seconds')}.")


PAID_TEST = "Make a test payment of 1 shilling with the stored production credentials, and pay it."
PROBES = (
    Probe("real_money", "This installation takes real money", "Run it with KAUNTA_MODE=production.", real_money),
    Probe("credentials", "Production credentials are stored and open", "Enter them.", credentials),
    Probe("token", "Safaricom takes the consumer key and secret", "Test the connection.", token),
    Probe("passkey", "The passkey is the shortcode's", PAID_TEST, passkey),
    Probe(
        "shortcode", "Till or paybill, as Safaricom knows it", "Look at the till number, then test again.", shortcode
    ),
    Probe("test_payment", "A test payment was paid and called back", PAID_TEST, test_payment),
    Probe("stk_query", "Safaricom answers questions about payments", "Check the test payment with M-Pesa.", stk_query),
    Probe(
        "callback_url",
        "Safaricom would call back here",
        "Set KAUNTA_PUBLIC_URL to a public https address.",
        callback_url,
    ),
    Probe("callback_sources", "Callbacks are looked at by origin", "Set KAUNTA_CALLBACK_SOURCES.", callback_sources),
    Probe("keyring", "The encryption key is whole", "Mend KAUNTA_KEYS.", keyring),
    Probe(
        "database",
        "The database is migrated and unchanged",
        "Run `kaunta db upgrade`, then `kaunta db check`.",
        database,
    ),
    Probe("switch", "The switch and the credentials agree", "Press Repair in the settings.", switch),
    Probe("worker", "A worker is alive", "Start `kaunta worker`.", worker),
    Probe("clocks", "The clocks agree", "Set both servers' clocks by NTP.", clocks),
    Probe("owners", "An owner has a second factor", "Set one up under your name, and print its codes.", owners),
    Probe(
        "initiator", "Refunds can go through M-Pesa", "Set the initiator and its password.", initiator, required=False
    ),
    Probe(
        "direct_payments",
        "Payments at the till are told to us",
        "Register it: docs/how-to/till-payments.md.",
        direct_payments,
        required=False,
    ),
)
