"""Loaded first in a run with a seeded bug: the program under test must be the copy that has it."""

import os
from pathlib import Path

import pytest

import kaunta

if Path(os.environ["KAUNTA_SABOTAGE_COPY"]) not in Path(kaunta.__file__).parents:
    raise pytest.UsageError("the program under test is not the copy with the seeded bug")
