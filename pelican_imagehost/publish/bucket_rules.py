"""The rules of a bucket and of the CDN before it, fit to copy: what `init` prints.

They follow the documentation of AWS S3, Cloudflare R2, Backblaze B2 and MinIO, and were tried on
none of the four. They are shell scripts: what is to be done by hand is a comment.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pelican_imagehost.images.image import POLICY

if TYPE_CHECKING:
    from collections.abc import Callable

    from pelican_imagehost.publish.bucket import Bucket

__all__ = ["bucket_rules"]

_OBJECTS = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
_METHODS, _DAY = ["GET", "HEAD"], 86_400  # seconds
_CORS = {"AllowedOrigins": ["*"], "AllowedMethods": _METHODS, "MaxAgeSeconds": _DAY}
_CDN = """\
# It adds headers that a bucket cannot store. It caches as Cache-Control says, and an error for
# at most a minute. After `retract`, purge the address."""
_CLOUDFLARE = f"""\
# With Cloudflare: Rules, Transform Rules, Modify Response Header; for the host of IMAGEHOST_URL,
# set static:
#     Content-Security-Policy: {POLICY}
#     X-Content-Type-Options: nosniff"""
_AWS = r"\.amazonaws\.(com|com\.cn|eu)$|\.api\.aws$"
# The start of the region, and with it of the host → the partition that its names are in:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}
_JURISDICTION = re.compile(r"\.(\w+)\.r2\.")


class _Service(NamedTuple):
    """A service: its name, and a script for each of its rules."""

    name: str
    rights: str
    readers: str
    cors: str
    versions: str
    cdn: str


def bucket_rules(bucket: Bucket) -> list[str]:
    """Return the rules for a bucket, as lines; those of the service that its endpoint names.

    If it names none of the four, the rules of all are returned.
    """
    host = _host(bucket)
    named = [rules for pattern, rules in _SERVICES.items() if re.search(pattern, host)]
    if named:
        return _lines(named[0](bucket))
    lines = [f"# {host} may be any service that speaks S3; take the rules of the one it follows."]
    return lines + [line for rules in _SERVICES.values() for line in ("", *_lines(rules(bucket)))]


def _lines(service: _Service) -> list[str]:
    texts = {
        "Rights of the key that publishes": service.rights,
        "Readers": service.readers,
        "CORS, for scripts that read images": service.cors,
        "Old versions, so that retracted images are deleted": service.versions,
        "CDN": f"{_CDN}\n{service.cdn}",
    }
    start = (
        f"# Rules for {service.name}, from its documentation; not tried there. They replace those "
        "that the bucket has."
    )
    rules = (f"## {title}\n{text}" for title, text in texts.items())
    return [start, *"\n".join(rules).split("\n")]


def _aws(bucket: Bucket) -> _Service:
    options = _options(bucket)
    place = f"--bucket {bucket.name}{options}"
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True}
    block |= {"BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    headers = {
        "ContentSecurityPolicy": {"Override": True, "ContentSecurityPolicy": POLICY},
        "ContentTypeOptions": {"Override": True},
    }
    policy = {"Name": "imagehost", "SecurityHeadersConfig": headers}
    return _Service(
        "AWS S3",
        f"aws iam create-user --user-name imagehost{options}\n"
        f"aws iam put-user-policy --user-name imagehost --policy-name imagehost{options} \\\n"
        f"    --policy-document {_json(_author(bucket), 2)}\n"
        f"aws iam create-access-key --user-name imagehost{options}",
        "# With CloudFront, let only its origin access control read. Without it, everybody:\n"
        f"aws s3api put-public-access-block {place} \\\n"
        f"    --public-access-block-configuration {_json(block)}\n"
        f"aws s3api put-bucket-policy {place} --policy {_json(_public(bucket), 2)}",
        f"aws s3api put-bucket-cors {place} \\\n"
        f"    --cors-configuration {_json({'CORSRules': [_CORS]})}",
        f"aws s3api put-bucket-lifecycle-configuration {place} \\\n"
        f"    --lifecycle-configuration {_json({'Rules': [_expiry(bucket)]})}",
        "# Choose the new policy in the behaviour of the distribution:\n"
        "aws cloudfront create-response-headers-policy --response-headers-policy-config \\\n"
        f"    {_json(policy)}",
    )


def _r2(bucket: Bucket) -> _Service:
    found = _JURISDICTION.search(bucket.endpoint)
    place = f"{bucket.name} --jurisdiction {found[1]}" if found else bucket.name
    cors = {"allowed": {"origins": ["*"], "methods": _METHODS}, "maxAgeSeconds": _DAY}
    return _Service(
        "Cloudflare R2",
        f"# Make an API token with Object Read & Write for the bucket {bucket.name}; region=auto.",
        "# R2 has no bucket policies; readers need a domain of yours, which is IMAGEHOST_URL:\n"
        f"npx wrangler r2 bucket domain add {place} --domain img.example.com --zone-id ZONE",
        f"echo {_json({'rules': [cors]})} > cors.json\n"
        f"npx wrangler r2 bucket cors set {place} --file cors.json",
        "# R2 keeps no versions.",
        _CLOUDFLARE,
    )


def _b2(bucket: Bucket) -> _Service:
    prefix = f"{bucket.prefix}/" if bucket.prefix else ""
    only = f" --name-prefix {shlex.quote(prefix)}" if prefix else ""
    hidden = {"fileNamePrefix": prefix, "daysFromHidingToDeleting": 1}
    cors = {
        "corsRuleName": "images",
        "allowedOrigins": ["*"],
        "allowedOperations": ["s3_get", "s3_head", "b2_download_file_by_name"],
        "maxAgeSeconds": _DAY,
    }
    rights = "listBuckets,listFiles,readFiles,writeFiles,deleteFiles"
    return _Service(
        "Backblaze B2",
        "# B2 takes no checksums: IMAGEHOST_REMOTE needs checksum=none.\n"
        f"b2 key create --bucket {bucket.name}{only} imagehost {rights}",
        f"b2 bucket update {bucket.name} allPublic",
        f"b2 bucket update --cors-rules {_json([cors])} {bucket.name}",
        f"b2 bucket update --lifecycle-rule {_json(hidden)} {bucket.name}",
        _CLOUDFLARE,
    )


def _minio(bucket: Bucket) -> _Service:
    only = f" --prefix {shlex.quote(bucket.prefix + '/')}" if bucket.prefix else ""
    return _Service(
        "MinIO",
        "# `my` is the alias of the service in `mc`, ACCESS_KEY the key that publishes.\n"
        f"echo {_json(_author(bucket), 2)} > author.json\n"
        "mc admin policy create my imagehost author.json\n"
        "mc admin policy attach my imagehost --user ACCESS_KEY",
        f"echo {_json(_public(bucket), 2)} > readers.json\n"
        f"mc anonymous set-json readers.json my/{bucket.name}",
        "# MinIO allows every origin, unless MINIO_API_CORS_ALLOW_ORIGIN is set.",
        f"mc ilm rule add --noncurrent-expire-days 1{only} my/{bucket.name}",
        "# With nginx:\n"
        f'#     add_header Content-Security-Policy "{POLICY}" always;\n'
        "#     add_header X-Content-Type-Options nosniff always;",
    )


# What the name of a host contains → the rules of its service.
_SERVICES: dict[str, Callable[[Bucket], _Service]] = {
    _AWS: _aws,
    r"\.r2\.cloudflarestorage\.com$": _r2,
    r"\.backblazeb2\.com$": _b2,
    r"minio|\.min\.io$": _minio,
}


def _host(bucket: Bucket) -> str:
    return urlsplit(bucket.endpoint).hostname or "s3.amazonaws.com"


def _options(bucket: Bucket) -> str:
    """Return the options of `aws` that lead to the service."""
    at = "" if re.search(_AWS, _host(bucket)) else f" --endpoint-url {bucket.endpoint}"
    return f"{at} --region {bucket.region}" if bucket.region else at


def _author(bucket: Bucket) -> object:
    """Return an IAM policy that allows what publishing does, and only below the prefix."""
    listing: dict[str, object] = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [_arn(bucket)],
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
    return f"{_arn(bucket)}/{bucket.prefix}".rstrip("/") + "/*"


def _arn(bucket: Bucket) -> str:
    """Return the name of a bucket in policies."""
    place = f".{bucket.region}.{_host(bucket)}"
    partitions = [name for start, name in _PARTITIONS.items() if f".{start}" in place]
    return f"arn:{(*partitions, 'aws')[0]}:s3:::{bucket.name}"


def _json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, quoted for a shell."""
    text = json.dumps(value, indent=indent).replace("'", r"\u0027")
    return f"'{text}'"
