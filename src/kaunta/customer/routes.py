"""Every page of the guest's door."""

from fastapi import APIRouter

from kaunta.customer import checkout, join, menu, receipt, status, till

router = APIRouter()
for door in (menu, checkout, join, till, status, receipt):
    router.routes.extend(door.router.routes)
