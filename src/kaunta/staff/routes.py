"""Every page of the counter's door."""

from fastapi import APIRouter

from kaunta.staff import board, pages, payment, sign_in, tab

router = APIRouter()
router.include_router(pages.files)
for door in (sign_in, board, tab, payment):
    router.include_router(door.router)
