"""The errors that reach people.

    KauntaError
    ├── ConfigurationError   the operator mends it: `kaunta` exits 6
    ├── BadRequest  400      ├── SignInNeeded 401   ├── Forbidden 403
    ├── NotFound    404      ├── Conflict     409
    └── Unforeseen  500      ├── DatabaseAway 503
                             └── Unreachable  503   another machine: `kaunta` exits 8
    and the features' own: payments.errors, tabs.errors, phone.PhoneRefused …

An error is a class whose docstring is the sentence people see; `status` and `code` stand beside it, `fields` carry
what the caller's program needs. Nothing in an error may be a secret or a phone number.
"""

import inspect
from typing import ClassVar


class KauntaError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(self, detail: str | None = None, **fields: object) -> None:
        self.detail = detail or inspect.cleandoc(type(self).__doc__ or "")
        self.fields = fields
        super().__init__(self.detail)


class ConfigurationError(KauntaError):
    """Kaunta is not configured."""

    code = "configuration"


class NotFound(KauntaError):
    """There is nothing here."""

    status = 404
    code = "not_found"


class Forbidden(KauntaError):
    """You may not do this."""

    status = 403
    code = "forbidden"


class SignInNeeded(KauntaError):
    """Sign in first."""

    status = 401
    code = "sign_in_needed"


class BadRequest(KauntaError):
    """The request cannot be understood."""

    status = 400
    code = "bad_request"


class Conflict(KauntaError):
    """This cannot be done in the present state."""

    status = 409
    code = "conflict"


class Unforeseen(KauntaError):
    """Something went wrong here. Try again in a moment."""

    code = "unforeseen"


class DatabaseAway(KauntaError):
    """The records cannot be reached right now. Try again in a moment."""

    status = 503
    code = "database_away"


class Unreachable(KauntaError):
    """Another machine that this needs cannot be reached right now. Try again in a moment."""

    status = 503
    code = "unreachable"
