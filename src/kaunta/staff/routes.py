"""Every page of the counter's door."""

from fastapi import APIRouter

from kaunta.staff import account, board, history, pages, payment, people, sign_in, tab, table_cards

router = APIRouter()
router.include_router(pages.files)
for door in (sign_in, account, people, board, tab, table_cards, history, payment):
    router.include_router(door.router)
