"""What must not be in the tree: hosts of package indexes, paths of a developer's machine, anything like a secret.

`python -m tests.tracked_files` reads every file that git tracks or would track (without git: every file that is not
made by a tool) and prints what it finds, never the secret itself.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE_BY_TOOLS = {".git", ".venv", ".kaunta", "__pycache__", "dist", ".hypothesis"}

#: Rule and pattern. A bracket around a letter keeps a pattern from finding itself. The sandbox passkey is public.
RULES = {
    "host of a package index": re.compile(
        r"py[p]i\.(org|python)|python[h]osted\.org|registry\.npm[j]s|registry\.yarn[p]kg|proxy\.gol[a]ng|cr[a]tes\.io"
        r"|--(extra-)?index-ur[l]|index-ur[l]\s*="
    ),
    "path of a developer's machine": re.compile(r"(?<![\w.~/:-])/(r[o]ot|w[o]rk|f[a]rm|h[o]me/\w+|U[s]ers/\w+)/"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE K[E]Y"),
    "access key of a cloud": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}\b"),
    "token of a code host or chat": re.compile(
        r"\bgh[pousr]_\w{36}|\bgithub_pat_\w{22}|\bglpat-[\w-]{20}|\bxox[abpr]-[\w-]{10}"
    ),
    "signed web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "password in an address": re.compile(
        r"\b(postgres(ql)?|https?|amqp|redis)://[\w.%-]+:(?![{<$%*])[^\s@:/'\"{]{12,}@"
    ),
    "keyring": re.compile(r"\bKAUNTA_(KEYS|RECOVERY_KEY|SEAL_KEY)=['\"]?(\w+:)?[A-Za-z0-9+/]{43}="),
    "Daraja secret": re.compile(
        r"(?i:consumer_?(?:key|secret)|pass_?key)['\"]?\s*[:=]\s*['\"](?!bfb279f9aa9bdbcf158e97dd)(?=\w*\d)\w{28,}"
    ),
}


def tree() -> Iterator[Path]:
    """The files that are, or would be, in the repository."""
    if shutil.which("git") and (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        names = sorted(name for name in listed.split("\0") if name)
        yield from (ROOT / name for name in names if (ROOT / name).is_file())
        return
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(part in MADE_BY_TOOLS or part.endswith("_cache") for part in parts):
            yield path


def broken_rules(text: str) -> Iterator[tuple[int, str]]:
    """Line number and rule of each find."""
    for number, line in enumerate(text.splitlines(), start=1):
        for rule, pattern in RULES.items():
            if pattern.search(line):
                yield number, rule


def findings() -> list[str]:
    """`file:line: rule` for each find in the tree; files that are not text are left out."""
    found = []
    for path in tree():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}:{number}: {rule}" for number, rule in broken_rules(text)]
    return found


if __name__ == "__main__":
    problems = findings()
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.exit(bool(problems))
