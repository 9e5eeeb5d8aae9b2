"""As many inputs as one likes: `python -m tests.fuzz --inputs 1000000 [--seed 7] [--seconds 1500]`.

Ends with 0 when every input was survived, with 3 and the input when one was not.
"""

import argparse
import random
import sys
import time

from tests.fuzz.targets import TARGETS, Broken, run

AT_ONCE = 1_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many in all, shared by the readers")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--seconds", type=float, default=1_500, help="end earlier than that in any case")
    wanted = parser.parse_args()
    began, done, seed = time.monotonic(), dict.fromkeys((t.name for t in TARGETS), 0), wanted.seed
    while sum(done.values()) < wanted.inputs and time.monotonic() - began < wanted.seconds:
        for target in TARGETS:
            try:
                run(target, seed, AT_ONCE)
            except Broken as error:
                sys.stdout.write(f"seed {seed}: {error}\n")
                return 3
            done[target.name] += AT_ONCE
        seed += 1
    counts = ", ".join(f"{name} {count:,}" for name, count in done.items())
    seconds = time.monotonic() - began
    sys.stdout.write(f"{sum(done.values()):,} inputs survived in {seconds:.0f} s from seed {wanted.seed}: {counts}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
