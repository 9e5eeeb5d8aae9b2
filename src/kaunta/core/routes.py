"""Routes that cost nothing until somebody asks for them: a start has nearly two hundred, and a process few of them.

FastAPI looks at a handler's parameters when the route is made, and once more at the first request where a router was
included; together that was a sixth of a start. So a page's route waits for its first request, which takes a thousandth
of a second longer, and the application holds its routes itself, in one list.
"""

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import compile_path


class LateRoute(APIRoute):
    """A route that knows what it is found by, and makes the rest of itself when that is first asked for."""

    late: tuple[str, Callable[..., Any], dict[str, Any]]

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        self.path, self.endpoint = path, endpoint
        self.methods = {method.upper() for method in given.get("methods") or ("GET",)}
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.include_in_schema = given.get("include_in_schema", True)
        self.late = (path, endpoint, given)

    def __getattr__(self, name: str) -> Any:
        """What is not there: all of it is made now, once."""
        late = self.__dict__.pop("late", None)
        if late is None:
            raise AttributeError(name)
        path, endpoint, given = late
        super().__init__(path, endpoint, **given)
        return getattr(self, name)
