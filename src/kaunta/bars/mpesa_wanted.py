"""What an owner wants of a bar's M-Pesa, made whole with what is kept and proven, before anything is written.

Shape first (loosely: whether credentials work is Safaricom's to say), then the rules of changing the environment,
then Safaricom itself by an access token, which moves no money.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from kaunta.bars.mpesa_switch import NoCredentials
from kaunta.bars.values import Environment
from kaunta.core.errors import Conflict, KauntaError
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import VaultError
from kaunta.credentials import store
from kaunta.credentials.queries import SealedCredential
from kaunta.credentials.store import CredentialRefused, NewCredential
from kaunta.daraja.client import Credential, CredentialsGood, CredentialsRefused, DarajaClient, DarajaUnreachable

SECRETS = ("consumer_key", "consumer_secret", "passkey")
#: Safaricom's public sandbox shortcode and passkey (daraja.md §4): no money ever arrives there.
SANDBOX_SHORTCODE = "174379"
SANDBOX_PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"


class CredentialsNotAccepted(KauntaError):
    """Safaricom did not accept the consumer key and secret. Check that both come from the same app."""

    status = 422
    code = "credentials_not_accepted"


class SafaricomUnreachable(KauntaError):
    """Safaricom could not be reached, so the credentials could not be checked. Nothing was changed; try again."""

    status = 502
    code = "safaricom_unreachable"


class ConfirmationRequired(Conflict):
    """Production takes real money: confirm by typing the shortcode. `gates`: what else is in the way."""

    code = "production_confirmation_required"


class PaymentsInFlight(Conflict):
    """Payments are on their way. Wait until they have ended, then switch."""

    code = "payments_in_flight"


class SecretsUnreadable(Conflict):
    """The stored secrets cannot be read, so none can be kept. Enter all three again."""

    code = "secrets_unreadable"


class SettingsChanged(Conflict):
    """Somebody else changed these settings at the same moment. Look at them again, then save."""

    code = "settings_changed"


@dataclass(frozen=True, slots=True, repr=False)
class Wanted:
    """What an owner sent. A secret or number that is None is kept; a till number of "" is taken away."""

    enabled: bool
    environment: Environment
    business_shortcode: str | None = None
    till_number: str | None = None
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None
    passkey: Secret | None = None
    confirm_production: str | None = None
    #: Keep the credentials for later, to be tested: neither the switch nor the bar's environment changes.
    store_only: bool = False
    #: Why the environment changes, for the record.
    reason: str | None = None

    @property
    def brings_credentials(self) -> bool:
        return self.till_number is not None or any(getattr(self, name) for name in (*SECRETS, "business_shortcode"))

    def news(self, business_shortcode: str | None, till_number: str | None) -> "Wanted":
        """The same without numbers that are stored already: a form sends them along with every change."""
        same_code = self.business_shortcode == business_shortcode
        same_till = (self.till_number or None) == till_number and (same_code or not self.business_shortcode)
        return replace(
            self,
            business_shortcode=None if same_code else self.business_shortcode,
            till_number=None if same_till else self.till_number,
        )


def complete(rt: Runtime, wanted: Wanted, present: SealedCredential | None) -> NewCredential:
    """What was sent, with what is kept filled in. Raises `CredentialRefused`, `SecretsUnreadable`."""
    kept: Credential | None = None
    if present is not None and not all(getattr(wanted, name) for name in SECRETS):
        try:
            kept = store.opened(rt, present)
        except VaultError:
            raise SecretsUnreadable from None

    def secret(name: str) -> Secret:
        value: Secret | None = getattr(wanted, name) or getattr(kept, name, None)
        if value is None:
            raise CredentialRefused(f"{name}: is needed, nothing is stored yet.", field=name)
        return value

    consumer_key, consumer_secret, passkey = (secret(name) for name in SECRETS)
    shortcode = wanted.business_shortcode or (present.business_shortcode if present else None)
    if shortcode is None:
        raise CredentialRefused("business_shortcode: is needed, nothing is stored yet.", field="business_shortcode")
    # A till belongs to its shortcode: with another one, the old till would be somebody else's money.
    kept_till = present.till_number if present and present.business_shortcode == shortcode else None
    new = NewCredential(
        environment=wanted.environment,
        business_shortcode=shortcode,
        till_number=kept_till if wanted.till_number is None else wanted.till_number or None,
        consumer_key=consumer_key,
        consumer_secret=consumer_secret,
        passkey=passkey,
    )
    store.check(new)
    if new.environment == "production":
        if new.business_shortcode == SANDBOX_SHORTCODE:
            raise CredentialRefused("business_shortcode: this is the sandbox's.", field="business_shortcode")
        if new.passkey.reveal() == SANDBOX_PASSKEY:
            raise CredentialRefused("passkey: this is the sandbox's.", field="passkey")
    return new


def check_confirmation(wanted: Wanted, new: NewCredential | None, present: SealedCredential | None) -> None:
    """Into production only with its shortcode typed. Raises `NoCredentials`, `ConfirmationRequired`."""
    if wanted.environment != "production":
        return
    shortcode = new.business_shortcode if new else present.business_shortcode if present else None
    if shortcode is None:
        raise NoCredentials("No production credentials are stored.")
    if (wanted.confirm_production or "").strip() != shortcode:
        raise ConfirmationRequired(field="confirm_production")


def to_prove(rt: Runtime, new: NewCredential | None, present: SealedCredential | None) -> Credential | None:
    """The credentials to ask Safaricom with: those that will be stored, or those that are."""
    if new is not None:
        return candidate(rt, new)
    if present is None:
        return None
    try:
        return store.opened(rt, present)
    except VaultError:
        raise SecretsUnreadable from None


async def prove(daraja: DarajaClient, credential: Credential) -> None:
    """Ask Safaricom for a token. Raises `CredentialsNotAccepted`, `SafaricomUnreachable`."""
    outcome = await daraja.check_credentials(credential)
    match outcome:
        case CredentialsGood():
            return
        case CredentialsRefused():
            raise CredentialsNotAccepted(httpStatus=outcome.http_status)
        case DarajaUnreachable():
            raise SafaricomUnreachable(reason=outcome.reason)
        case _:
            assert_never(outcome)


def candidate(rt: Runtime, new: NewCredential) -> Credential:
    """Credentials that are not stored yet, under an id of their own: their token is nobody else's."""
    return Credential(
        id=rt.entropy.uuid(),
        version=0,
        environment=new.environment,
        business_shortcode=new.business_shortcode,
        till_number=new.till_number,
        consumer_key=new.consumer_key,
        consumer_secret=new.consumer_secret,
        passkey=new.passkey,
    )
