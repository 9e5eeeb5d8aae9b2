"""What every test can ask for. Each part says for itself what it gives."""

pytest_plugins = [
    "tests.plugins.loopback",
    "tests.plugins.databases",
    "tests.plugins.prove",
    "tests.support.runtime",
    "tests.support.safaricom",
    "tests.support.bars",
    "tests.support.door",
]
