"""The variables of backups: where they are kept, when they are made, how many stay, and the way to a bucket.

Part of `settings.Settings`, which reads them with all others.
"""

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*()-]+)*)/?")


def bucket_of(text: str) -> tuple[str, str] | None:
    """Bucket and prefix of s3://bucket/prefix; None for a folder. Raises `ValueError`."""
    if not text.lower().startswith("s3:"):
        return None
    match = BUCKET.fullmatch(text)
    if match is None:
        raise ValueError("write a bucket as s3://bucket or s3://bucket/prefix")
    return match[1], match[2].strip("/")


class BackupSettings(BaseModel):
    """What `Settings` knows about backups."""

    backup_folder: str | None = Field(
        None,
        description="Where the worker keeps backups: a folder, or a bucket as s3://bucket/prefix; none are made by "
        "themselves without it.",
    )
    backup_s3_endpoint: str | None = Field(
        None,
        description="The store that the bucket is in, as https://host, where it is not Amazon's.",
        examples=["https://s3.example.co.ke"],
    )
    backup_s3_region: str = Field("us-east-1", description="The bucket's region, as its store calls it.")
    backup_s3_addressing: Literal["path", "virtual"] = Field(
        "path", description="Whether the bucket's name stands in the address's path, or (virtual) in front of its host."
    )
    backup_s3_key_id: SecretStr | None = Field(None, description="The id of the access key for the bucket.")
    backup_s3_secret: SecretStr | None = Field(
        None, description="The access key itself. It may list the bucket, and get, put and delete in it: no more."
    )
    backup_hour: int = Field(4, ge=0, le=23, description="The hour (Nairobi) from which the day's backup is made.")
    backup_whole: bool = Field(
        False, description="The worker backs up the whole database by pg_dump, not only the credentials."
    )
    backup_keep_daily: int = Field(7, ge=1, le=1_000, description="Of how many days the last backup is kept.")
    backup_keep_weekly: int = Field(4, ge=0, le=1_000, description="Of how many weeks the last backup is kept.")
    backup_keep_monthly: int = Field(12, ge=0, le=1_000, description="Of how many months the last backup is kept.")

    @field_validator("backup_folder")
    @classmethod
    def place(cls, value: str | None) -> str | None:
        if value is not None:
            bucket_of(value)
        return value

    @field_validator("backup_s3_endpoint")
    @classmethod
    def store(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - reading it is how a port that is none is found
        except ValueError:
            # Python's own message quotes the value.
            raise ValueError("write it as https://host") from None
        more = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None
        if parts.scheme not in ("http", "https") or not parts.hostname or more:
            raise ValueError("write it as https://host")
        return f"{parts.scheme}://{parts.netloc}"

    @model_validator(mode="after")
    def whole_way(self) -> "BackupSettings":
        keys = (self.backup_s3_key_id, self.backup_s3_secret)
        if self.backup_folder is not None and bucket_of(self.backup_folder) is not None and None in keys:
            raise ValueError(
                "KAUNTA_BACKUP_FOLDER: KAUNTA_BACKUP_S3_KEY_ID and KAUNTA_BACKUP_S3_SECRET are needed beside a bucket"
            )
        return self
