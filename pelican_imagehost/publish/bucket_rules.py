"""The rules of a bucket and of the CDN before it, fit to copy: what `init` prints.

They follow the documentation of AWS S3, Cloudflare R2, Backblaze B2 and MinIO, and were tried on
none of the four.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pelican_imagehost.publish.bucket import Bucket

__all__ = ["bucket_rules"]

_OBJECTS = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
_CORS = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "HEAD"], "MaxAgeSeconds": 86400}
_CDN = """\
The CDN adds to each answer, because a bucket cannot store these headers:
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox
    X-Content-Type-Options: nosniff
It caches as Cache-Control says, and a 404 for at most a minute. After `retract`, purge the address.
"""


class _Service(NamedTuple):
    """A service: its name, and a text for each of its rules."""

    name: str
    rights: str
    readers: str
    cors: str
    versions: str


def bucket_rules(bucket: Bucket) -> list[str]:
    """Return the rules for a bucket, as lines; the endpoint tells which service it is."""
    host = bucket.endpoint.partition("://")[2]
    if not host or host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        service = _aws(bucket)
    elif host.endswith(".r2.cloudflarestorage.com"):
        service = _r2(bucket)
    elif host.endswith(".backblazeb2.com"):
        service = _b2(bucket)
    else:
        service = _minio(bucket)
    texts = {
        f"Rules for {service.name}, from its documentation; not tried there": "",
        "Rights of the key that publishes": service.rights,
        "Readers": service.readers,
        "CORS, for scripts that read images": service.cors,
        "Old versions, so that retracted images are deleted": service.versions,
        "CDN": _CDN,
    }
    return [line for title, text in texts.items() for line in (f"# {title}", *text.splitlines())]


def _aws(bucket: Bucket) -> _Service:
    return _Service(
        "AWS S3",
        _json(_author(bucket)),
        "With CloudFront, let only its origin access control read. Without, this bucket policy,\n"
        f"after Block Public Access is off for the bucket:\n{_json(_public(bucket))}",
        f"aws s3api put-bucket-cors --bucket {bucket.name} --cors-configuration \\\n"
        f"    '{json.dumps({'CORSRules': [_CORS]})}'",
        f"aws s3api put-bucket-lifecycle-configuration --bucket {bucket.name} "
        f"--lifecycle-configuration \\\n    '{json.dumps({'Rules': [_expiry(bucket)]})}'",
    )


def _r2(bucket: Bucket) -> _Service:
    return _Service(
        "Cloudflare R2",
        f"An API token with Object Read & Write for the bucket {bucket.name}; region=auto.",
        "R2 has no bucket policies: connect a domain to the bucket, which is then IMAGEHOST_URL.",
        f"The CORS policy in the bucket's settings:\n{_json([_CORS])}",
        "R2 keeps no versions.",
    )


def _b2(bucket: Bucket) -> _Service:
    prefix = f"{bucket.prefix}/" if bucket.prefix else ""
    only = f" --name-prefix {prefix}" if prefix else ""
    hidden = {"fileNamePrefix": prefix, "daysFromHidingToDeleting": 1}
    cors = {
        "corsRuleName": "images",
        "allowedOrigins": ["*"],
        "allowedOperations": ["s3_get", "s3_head", "b2_download_file_by_name"],
        "maxAgeSeconds": 86400,
    }
    rights = "listBuckets,listFiles,readFiles,writeFiles,deleteFiles"
    return _Service(
        "Backblaze B2, which takes no checksums (checksum=none)",
        f"b2 key create --bucket {bucket.name}{only} imagehost {rights}",
        f"b2 bucket update {bucket.name} allPublic",
        f"b2 bucket update --cors-rules '{json.dumps([cors])}' {bucket.name}",
        f"b2 bucket update --lifecycle-rule '{json.dumps(hidden)}' {bucket.name}",
    )


def _minio(bucket: Bucket) -> _Service:
    place = f"{bucket.name}/{bucket.prefix}".rstrip("/")
    return _Service(
        "MinIO, where `my` is the alias of `mc`, and others that speak S3",
        f"mc admin policy create my imagehost policy.json, with\n{_json(_author(bucket))}",
        f"mc anonymous set-json readers.json my/{bucket.name}, with\n{_json(_public(bucket))}",
        "MinIO allows every origin unless MINIO_API_CORS_ALLOW_ORIGIN is set.",
        f"mc ilm rule add --noncurrent-expire-days 1 my/{place}",
    )


def _author(bucket: Bucket) -> object:
    """Return an IAM policy that allows what publishing does, and only below the prefix."""
    listing: dict[str, object] = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket.name}"],
    }
    if bucket.prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [f"{bucket.prefix}/*"]}}
    objects = {"Effect": "Allow", "Action": _OBJECTS, "Resource": [_below(bucket)]}
    return {"Version": "2012-10-17", "Statement": [listing, objects]}


def _public(bucket: Bucket) -> object:
    """Return a bucket policy that lets everybody read images, and list nothing."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": [_below(bucket)],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _expiry(bucket: Bucket) -> object:
    return {
        "ID": "imagehost",
        "Status": "Enabled",
        "Filter": {"Prefix": f"{bucket.prefix}/" if bucket.prefix else ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }


def _below(bucket: Bucket) -> str:
    return f"arn:aws:s3:::{bucket.name}/{bucket.prefix}".rstrip("/") + "/*"


def _json(value: object) -> str:
    return json.dumps(value, indent=2)
