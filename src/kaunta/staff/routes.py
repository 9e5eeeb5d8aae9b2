"""Every page of the counter's door."""

from fastapi import APIRouter

from kaunta.staff import account, board, pages, payment, people, sign_in, tab

router = APIRouter()
router.include_router(pages.files)
for door in (sign_in, account, people, board, tab, payment):
    router.include_router(door.router)
