"""Every page of the counter's door."""

from fastapi import APIRouter

from kaunta.staff import (
    account,
    board,
    day,
    history,
    pages,
    payment,
    people,
    receipts,
    refunds,
    sign_in,
    statements,
    tab,
    table_cards,
)

router = APIRouter()
router.include_router(pages.files)
for door in (sign_in, account, people, board, tab, table_cards, history, payment, receipts, refunds, statements, day):
    router.include_router(door.router)
