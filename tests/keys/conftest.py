"""What the tests of keys share."""

from tests.support.sealed import full_bar

__all__ = ["full_bar"]
