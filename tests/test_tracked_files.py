"""The rules of tests/tracked_files.py find what they are for, and the tree keeps them."""

import pytest

from tests.tracked_files import RULES, broken_rules, findings, tree


@pytest.mark.failure(25)
def test_the_tree_keeps_the_rules() -> None:
    assert len(list(tree())) > 50
    assert findings() == []


@pytest.mark.failure(25)
@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("host of a package index", "see https://py" + "pi.org/simple"),
        ("host of a package index", "pip install --index" + "-url x"),
        ("path of a developer's machine", "open('/ho" + "me/jane/kaunta')"),
        ("private key", "-----BEGIN RSA PRIVATE " + "KEY-----"),
        ("access key of a cloud", "AKIA" + "ABCDEFGHIJKLMNOP"),
        ("token of a code host or chat", "ghp_" + "a1" * 18),
        ("signed web token", "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0.c2lnbmF0dXJl"),
        ("password in an address", "postgresql://kaunta:" + "hunter2hunter2@db.example/kaunta"),
        ("keyring", "KAUNTA_KEYS=" + "k1:" + "A1b2" * 10 + "A1b="),
        ("Daraja secret", "consumer_secret = '" + "A1b2" * 12 + "'"),
    ],
)
def test_each_rule_finds_what_it_is_for(rule: str, line: str) -> None:
    assert [found for _, found in broken_rules(f"fine\n{line}\n")] == [rule]


@pytest.mark.parametrize("line", ["/var/lib/kaunta", "https://example.com/work/menu", "KAUNTA_KEYS=", "passkey: str"])
def test_ordinary_lines_are_left_alone(line: str) -> None:
    assert list(broken_rules(line)) == []


def test_every_rule_is_tried() -> None:
    assert len(RULES) == 9
