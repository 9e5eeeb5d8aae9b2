"""How quiet the machine was: the same loop over and over, beside what the kernel says others took."""

import hashlib
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

#: One sample of the loop takes some 20 ms.
TURNS, SAMPLES = 30_000, 25


@dataclass(slots=True)
class Noise:
    """Samples of the loop (ms) taken between the rows, and the kernel's counters at the beginning."""

    samples: list[float] = field(default_factory=list)
    before: Mapping[str, int] = field(default_factory=lambda: cpu_ticks())
    load: list[float] = field(default_factory=list)

    def listen(self) -> None:
        """Run the loop a few times, while nothing else of ours runs."""
        self.load.append(os.getloadavg()[0])
        self.samples += [sample() for _ in range(SAMPLES)]

    def heard(self) -> dict[str, float | int | str]:
        """What the results keep of the machine. `steal_percent` and `iowait_percent` are of all CPUs' time."""
        after = cpu_ticks()
        passed = {name: after[name] - self.before[name] for name in after}
        total = sum(passed.values()) or 1
        middle = median(self.samples)
        return {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "cpus": os.cpu_count() or 0,
            "loop_ms": middle,
            "loop_spread_percent": 100 * (sorted(self.samples)[int(0.95 * len(self.samples))] - middle) / middle,
            "steal_percent": 100 * passed["steal"] / total,
            "iowait_percent": 100 * passed["iowait"] / total,
            "load_between_rows": max(self.load),
        }


def sample() -> float:
    """Milliseconds that a fixed piece of work took."""
    begun = time.perf_counter()
    digest = b""
    for _ in range(TURNS):
        digest = hashlib.sha256(digest).digest()
    return (time.perf_counter() - begun) * 1e3


def cpu_ticks() -> dict[str, int]:
    """The first line of /proc/stat (proc(5)): what all CPUs' time went to."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
    return dict(zip(names, (int(ticks) for ticks in line[1:9]), strict=True))
