"""`python -m kaunta`."""

from kaunta.cli.main import run

if __name__ == "__main__":
    run()
