"""Every page of the guest's door."""

from fastapi import APIRouter

from kaunta.customer import checkout, menu, receipt, status

router = APIRouter()
for door in (menu, checkout, status, receipt):
    router.include_router(door.router)
