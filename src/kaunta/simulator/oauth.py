"""`GET /oauth/v1/generate`: an access token for a consumer key and secret."""

import base64
import binascii

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.gateway import Gateway
from kaunta.simulator.replies import REPLIES, Refused, as_json


def routes(gateway: Gateway) -> list[Route]:
    simulator = gateway.simulator
    options = simulator.options

    async def generate(request: Request) -> Response:
        request.state.api = "oauth"
        await gateway.meet_faults("oauth")
        key, secret = pair(request.headers.get("authorization", ""))
        if options.credentials is not None and options.credentials.get(key) != secret:
            # Production answers a wrong pair with an empty 400.
            raise Refused(REPLIES["empty_400" if options.strict else "invalid_authentication"])
        if request.query_params.get("grant_type") != "client_credentials":
            raise Refused(REPLIES["invalid_grant_type"])
        # A text, a second short of the hour: that is what both environments send.
        return as_json({"access_token": simulator.tokens.give(), "expires_in": str(round(options.token_life) - 1)})

    return [Route("/oauth/v1/generate", generate, methods=["GET"])]


def pair(header: str) -> tuple[str, str]:
    """Key and secret of a Basic header."""
    scheme, _, encoded = header.partition(" ")
    try:
        key, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(REPLIES["invalid_authentication"]) from None
    if scheme.lower() != "basic" or not colon or not key or not secret:
        raise Refused(REPLIES["invalid_authentication"])
    return key, secret
