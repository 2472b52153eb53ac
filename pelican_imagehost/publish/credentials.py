"""Find the keys of a bucket, without a request that nobody asked for.

obstore would ask the metadata address of a cloud's machine when it finds no key in the
environment, so it is only left to itself where it finds one there.
"""

from __future__ import annotations

import configparser
import importlib.util
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pelican_imagehost.errors import PublishError

if TYPE_CHECKING:
    from pelican_imagehost.publish.bucket import Bucket

__all__ = ["find_credentials"]

_METADATA = "AWS_EC2_METADATA_DISABLED"  # botocore's
_RENEWED = timedelta(minutes=5)  # how often boto3 is asked again
# Each is enough for obstore: a key, a container's, a web identity's.
_IN_ENVIRONMENT = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
)


def find_credentials(bucket: Bucket) -> dict[str, Any]:
    """Find the keys of a bucket.

    Returns:
        The arguments for `obstore.store.S3Store`.

    Raises:
        PublishError: there are none, or the file with them cannot be read.
    """
    if any(all(os.environ.get(name) for name in names) for names in _IN_ENVIRONMENT):
        return {}
    found = _from_file() or _from_boto3()
    if not found and not bucket.asks_instance:
        raise PublishError(
            f"there is no key for {bucket}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "put a key into ~/.aws/credentials (AWS_PROFILE names its section), or "
            "`pip install boto3` for SSO and assumed roles, or, on a cloud's machine with a role, "
            "add credentials=instance to IMAGEHOST_REMOTE"
        )
    return found


def _from_file() -> dict[str, Any]:
    """Read a static key from the file that AWS's own tools share."""
    default = os.path.join("~", ".aws", "credentials")
    file = os.path.expanduser(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or default)
    profile = os.environ.get("AWS_PROFILE") or "default"
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, "utf-8")
    except (configparser.Error, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise PublishError(f"{file} cannot be read: {reason}") from error
    if not parser.has_section(profile):
        return {}
    section = dict(parser.items(profile))
    key, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    if not key or not secret:
        return {}
    found = {"access_key_id": key, "secret_access_key": secret}
    token = section.get("aws_session_token")
    return found | ({"session_token": token} if token else {})


def _from_boto3() -> dict[str, Any]:
    """Let boto3 find a key, if it is installed; it knows SSO and assumed roles."""
    if importlib.util.find_spec("boto3") is None:
        return {}
    import boto3  # noqa: PLC0415  slow, and seldom there
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415  as above

    before = os.environ.get(_METADATA)
    os.environ[_METADATA] = "true"
    try:
        credentials = boto3.session.Session().get_credentials()
    except BotoCoreError as error:
        raise PublishError(f"boto3 finds no key: {error}") from error
    finally:
        if before is None:
            del os.environ[_METADATA]
        else:
            os.environ[_METADATA] = before
    if credentials is None:
        return {}

    def provide() -> dict[str, Any]:
        frozen = credentials.get_frozen_credentials()  # boto3 renews them in time
        key = {"access_key_id": frozen.access_key, "secret_access_key": frozen.secret_key}
        return key | {"token": frozen.token, "expires_at": datetime.now(UTC) + _RENEWED}

    return {"credential_provider": provide}
