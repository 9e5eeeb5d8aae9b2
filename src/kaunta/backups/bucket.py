"""A bucket with backups, in Amazon's S3 or any store that speaks its protocol.

An object is there whole or not at all: what a store has taken only in part has no name in any listing. So a backup is
written to a file of this machine that has no name and is gone with its process, handed over in one go, and read back
from the store before it counts. What a store says in its own words never reaches people: only its short code does.
"""

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

from kaunta.backups.archive import read_header
from kaunta.backups.manifest import Header, NotABackup
from kaunta.backups.place import PREFIX, SUFFIX, Found, NoSuchBackup, name_of, newest_first, with_room
from kaunta.backups.remote import Remote
from kaunta.core.errors import ConfigurationError, Unreachable
from kaunta.core.secret import Secret

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

#: A store that does not take a connection, or says nothing for so long, is away; tried so often.
CONNECT_SECONDS, SILENT_SECONDS, TRIES = 5, 30, 4
#: What is larger is handed over in parts of this size, and of more where there would be too many.
PART = 16 << 20
#: Signed with the wrong key; not allowed with this one; another region's; a clock that is wrong.
NOT_OURS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "401"})
ELSEWHERE = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
)
TOO_LATE = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
BUSY = frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "TooManyRequests"})


class NoBucket(ConfigurationError):
    """The store has no bucket of this name."""

    code = "backup_bucket"


class StoreRefuses(ConfigurationError):
    """The store does not let us."""

    code = "backup_store_refuses"


class StoreAway(Unreachable):
    """The store of the backups cannot be reached."""

    code = "backup_store_away"


@cache
def session() -> Any:
    """What the library keeps for all clients. It is deaf: settings come from our own module alone, neither from AWS_…
    nor from ~/.aws."""
    import boto3
    from botocore.session import Session

    deaf = {name: (None, None, told[2], told[3]) for name, told in Session.SESSION_VARIABLES.items()}
    nothing = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return boto3.session.Session(botocore_session=Session(session_vars=deaf | nothing))


@dataclass(frozen=True, slots=True)
class ObjectDraft:
    """A file that nobody else sees, until it is handed over."""

    bucket: "Bucket"
    file: IO[bytes]
    name: str

    def keep(self) -> None:
        self.file.seek(0)
        self.bucket.put(self.name, self.file)


@dataclass(frozen=True)
class Bucket:
    """Backups as objects under a prefix. `endpoint`: another store's than Amazon's."""

    name: str
    prefix: str
    key_id: Secret
    key: Secret
    endpoint: str | None = None
    region: str = "us-east-1"
    path_style: bool = True
    #: How often the library asks before it gives up.
    tries: int = TRIES

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    @cached_property
    def client(self) -> Any:
        """Made when it is first needed: the library takes its time to load."""
        from botocore.config import Config

        return session().client(
            "s3",
            aws_access_key_id=self.key_id.reveal(),
            aws_secret_access_key=self.key.reveal(),
            region_name=self.region,
            endpoint_url=self.endpoint,
            # What this machine trusts, as everywhere else; the library's own list where the system has none.
            verify=ssl.get_default_verify_paths().cafile or True,
            config=Config(
                signature_version="s3v4",
                connect_timeout=CONNECT_SECONDS,
                read_timeout=SILENT_SECONDS,
                retries={"mode": "standard", "total_max_attempts": self.tries},
                s3={"addressing_style": "path" if self.path_style else "virtual"},
                # Stores other than Amazon's do not know the newer checksums; our own are in every backup.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                ignore_configured_endpoint_urls=True,
            ),
        )

    @contextmanager
    def asking(self) -> Iterator[None]:
        """What the store or the way to it says, as an error of ours. Raises `NoBucket`, `StoreRefuses`, `StoreAway`,
        `NoSuchBackup`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise self.told(error) from None
        except (BotoCoreError, OSError) as error:
            # Its own words name the address with all that was asked for.
            raise StoreAway(f"The store of {self} cannot be reached ({type(error).__name__}).") from None

    def told(self, error: "ClientError") -> Exception:
        said = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = said if re.fullmatch(r"[A-Za-z0-9.]{1,40}", said) else str(status)
        if code == "NoSuchKey":
            return NoSuchBackup()
        if code == "NoSuchBucket":
            return NoBucket(f"The store has no bucket {self.name}: make it, or mend KAUNTA_BACKUP_FOLDER.")
        if code in NOT_OURS:
            return StoreRefuses(
                f"The store of {self} does not accept KAUNTA_BACKUP_S3_KEY_ID with KAUNTA_BACKUP_S3_SECRET ({code})."
            )
        if code in TOO_LATE:
            return StoreRefuses(f"The store of {self} says that this machine's clock is wrong ({code}): set it right.")
        if code in ELSEWHERE:
            return StoreRefuses(f"The bucket of {self} is in another region ({code}): set KAUNTA_BACKUP_S3_REGION.")
        if code in BUSY or status >= 500:
            return StoreAway(f"The store of {self} cannot serve us right now ({code}).")
        return StoreRefuses(
            f"The store of {self} refuses ({code}): the key must be allowed to list the bucket, and to get, put and "
            "delete objects in it."
        )

    def path(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def make(self) -> None:
        """Nothing: a bucket has an owner, a region and a bill, which this program does not decide."""

    def is_there(self) -> bool:
        """One that is not there is an error and not an empty one; listing it says so."""
        return True

    def look(self) -> None:
        """Asked once: who looks waits for the answer."""
        with self.asking():
            replace(self, tries=1).client.list_objects_v2(Bucket=self.name, Prefix=self.path(PREFIX), MaxKeys=1)

    @contextmanager
    def draft(self, header: Header) -> Iterator[ObjectDraft]:
        with with_room("this machine's folder for temporary files"), TemporaryFile() as file:
            yield ObjectDraft(self, file, name_of(header))

    def put(self, name: str, file: IO[bytes]) -> None:
        """Hand over a file, whole or not at all."""
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)
        with self.asking():
            self.client.upload_fileobj(file, self.name, self.path(name), Config=config)

    def lying(self) -> list[Found]:
        return newest_first(self.found())

    def found(self) -> Iterator[Found]:
        with self.asking():
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=self.path(PREFIX), Delimiter="/"
            )
            objects = [each for page in pages for each in page.get("Contents", ())]
        for each in objects:
            name = each["Key"].rpartition("/")[2]
            if name.endswith(SUFFIX):
                with suppress(NotABackup, NoSuchBackup):
                    file = self.remote(name, each["Size"])
                    yield Found(self, name, read_header(file)[0], each["Size"])

    def open(self, name: str) -> IO[bytes]:
        with self.asking():
            # A listing and not a HEAD, whose refusals have no words.
            answer = self.client.list_objects_v2(Bucket=self.name, Prefix=self.path(name), MaxKeys=1)
        sizes = [each["Size"] for each in answer.get("Contents", ()) if each["Key"] == self.path(name)]
        if not sizes:
            raise NoSuchBackup
        return self.remote(name, sizes[0])

    def remote(self, name: str, size: int) -> IO[bytes]:
        return cast(IO[bytes], Remote(lambda start, length: self.fetch(name, start, length), size))

    def fetch(self, name: str, start: int, length: int) -> bytes:
        """Some bytes of an object. An answer that breaks off is asked for anew; the library does so until it begins."""
        from botocore.exceptions import BotoCoreError

        for _ in range(TRIES):
            with self.asking():
                answer = self.client.get_object(
                    Bucket=self.name, Key=self.path(name), Range=f"bytes={start}-{start + length - 1}"
                )
            with suppress(BotoCoreError, OSError):
                data: bytes = answer["Body"].read()
                if len(data) == length:
                    return data
        raise StoreAway(f"The store of {self} gives {name} only in part.")

    def remove(self, name: str) -> None:
        with self.asking():
            self.client.delete_object(Bucket=self.name, Key=self.path(name))

    def tidy(self, before: float) -> None:
        # Not every store lists what was never finished, and not every key may: it costs its owner space, no more.
        with suppress(StoreRefuses), self.asking():
            answer = self.client.list_multipart_uploads(Bucket=self.name, Prefix=self.path(PREFIX))
            for each in answer.get("Uploads", ()):
                if each["Key"].endswith(SUFFIX) and each["Initiated"].timestamp() < before:
                    self.client.abort_multipart_upload(Bucket=self.name, Key=each["Key"], UploadId=each["UploadId"])
