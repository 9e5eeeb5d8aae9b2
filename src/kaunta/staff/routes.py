"""Every page of the counter's door."""

from fastapi import APIRouter

from kaunta.staff import (
    account,
    alerts,
    attention,
    audit,
    blocks,
    board,
    day,
    diagnosis,
    health,
    help,
    history,
    pages,
    payment,
    people,
    receipts,
    refunds,
    resolve_wizard,
    saved_views,
    settings,
    settings_bar,
    settings_menu,
    settings_mpesa,
    settings_mpesa_credentials,
    settings_mpesa_environment,
    settings_mpesa_readiness,
    settings_mpesa_tests,
    settings_mpesa_till,
    settings_tables,
    settings_webhooks,
    shift,
    sign_in,
    statements,
    tab,
    table_cards,
)

router = APIRouter()
router.routes.extend(pages.files.routes)
for door in (sign_in, account, people, attention, board, tab, table_cards, history, payment, receipts, refunds):
    router.routes.extend(door.router.routes)
for door in (statements, day):
    router.routes.extend(door.router.routes)
for door in (saved_views, resolve_wizard, alerts, blocks, help, audit, shift, health):
    router.routes.extend(door.router.routes)
for door in (settings, settings_menu, settings_tables, settings_bar, settings_webhooks, diagnosis):
    router.routes.extend(door.router.routes)
for door in (
    settings_mpesa,
    settings_mpesa_credentials,
    settings_mpesa_tests,
    settings_mpesa_till,
    settings_mpesa_environment,
    settings_mpesa_readiness,
):
    router.routes.extend(door.router.routes)
