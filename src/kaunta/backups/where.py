"""Which kind of place a setting or an option names: a folder of this machine, or a bucket of a store."""

from pathlib import Path

from kaunta.backup_settings import bucket_of
from kaunta.backups.bucket import Bucket
from kaunta.backups.folder import Folder
from kaunta.backups.place import Place
from kaunta.core.errors import BadRequest, ConfigurationError
from kaunta.core.secret import Secret
from kaunta.settings import Settings


class NoKeys(ConfigurationError):
    """A bucket needs KAUNTA_BACKUP_S3_KEY_ID and KAUNTA_BACKUP_S3_SECRET."""

    code = "backup_store_keys"


class BadPlace(BadRequest):
    """Name a folder, or a bucket as s3://bucket or s3://bucket/prefix."""

    code = "backup_place"


def place_of(settings: Settings, given: str | None = None) -> Place | None:
    """The place that is given or, where none is, set; None where none is set. Raises `NoKeys`, `BadPlace`."""
    told = given if given is not None else settings.backup_folder
    if told is None:
        return None
    try:
        named = bucket_of(told)
    except ValueError:
        raise BadPlace from None
    if named is None:
        return Folder(Path(told).absolute())
    key_id, key = settings.backup_s3_key_id, settings.backup_s3_secret
    if key_id is None or key is None:
        raise NoKeys
    return Bucket(
        *named,
        Secret(key_id.get_secret_value()),
        Secret(key.get_secret_value()),
        settings.backup_s3_endpoint,
        settings.backup_s3_region,
        settings.backup_s3_addressing == "path",
    )
