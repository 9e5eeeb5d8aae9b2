"""The harness's end of the processes that die: order one, read what it did, know how it ended."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from kaunta.settings import Settings
from tests.crash.steps import Crash, Step


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit code and the steps it took."""

    code: int
    steps: list[Step]


@dataclass(slots=True)
class Forks:
    """The process that forks. `errors` is where its children's last words are."""

    process: "subprocess.Popen[bytes]"
    errors: Path
    orders: int = field(default=0)

    @classmethod
    def start(cls, errors: Path) -> "Forks":
        with errors.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                cwd=Path(__file__).parents[2],
            )
        return cls(process, errors)

    def stop(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait(60)

    async def run(
        self,
        act: str,
        settings: Settings,
        now: str,
        crash: Crash | None,
        said: Mapping[str, Any],
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> Ended:
        """Have a child perform `act`; `meanwhile` happens while it answers requests."""
        order = {
            "act": act,
            "settings": environment(settings),
            "now": now,
            "crash": asdict(crash) if crash else None,
            "said": dict(said),
        }
        self.write(json.dumps(order))
        steps: list[Step] = []
        while "ended" not in (line := await asyncio.to_thread(self.read)):
            if "step" in line:
                steps.append(Step(**line["step"]))
            elif meanwhile is not None:
                await meanwhile()
                self.write("end")
        return Ended(line["ended"], steps)

    def write(self, line: str) -> None:
        pipe = self.opened(self.process.stdin)
        pipe.write(line.encode() + b"\n")
        pipe.flush()

    def read(self) -> dict[str, Any]:
        line = self.opened(self.process.stdout).readline()
        assert line, f"the process that forks is gone:\n{self.last_words()}"
        found: dict[str, Any] = json.loads(line)
        return found

    def last_words(self) -> str:
        return self.errors.read_text(encoding="utf-8", errors="replace")[-4000:]

    @staticmethod
    def opened(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


def environment(settings: Settings) -> dict[str, str]:
    """Settings as the environment would say them to another process."""
    said = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        value = ",".join(map(str, value)) if isinstance(value, tuple) else value
        said[f"KAUNTA_{name.upper()}"] = str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)
    return said
