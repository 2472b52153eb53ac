"""The address of a bucket in IMAGEHOST_REMOTE: `s3://bucket/prefix?endpoint=…&region=…`."""

from __future__ import annotations

import re
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from pelican_imagehost.errors import PublishError

__all__ = ["GRACE", "SCHEME", "Bucket"]

SCHEME = "s3://"
GRACE = 30 * 24 * 3600.0  # seconds since an object was written, in which no gc deletes it
_VALUES = {  # option → the values that it may have; None: any
    "endpoint": None,
    "region": None,
    "checksum": ("sha256", "none"),
    "style": ("path", "virtual"),
    "credentials": ("instance",),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_PREFIX = re.compile(r"[\w.!*'()-]+(?:/[\w.!*'()-]+)*", re.ASCII)  # nothing that is escaped
_REGION = re.compile(r"[A-Za-z0-9-]+")
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


class Bucket(NamedTuple):
    """A place in an object store.

    Attributes:
        name: the name of the bucket.
        prefix: the start of every name in it, without slashes around it; may be "".
        endpoint: the address of the service; "" for that of AWS.
        region: its region; "" for that of the environment.
        has_checksums: whether the service checks SHA-256 checksums of what it is sent.
        is_virtual: whether the bucket is part of the host name, not of the path.
        asks_instance: whether the metadata service of a cloud's machine may be asked for keys.
    """

    name: str
    prefix: str
    endpoint: str
    region: str
    has_checksums: bool
    is_virtual: bool
    asks_instance: bool

    @classmethod
    def parse(cls, address: str) -> Self:
        """Read an address, and check it.

        Raises:
            PublishError: it is not the address of a bucket.
        """
        parts = urlsplit(address)
        if "@" in parts.netloc:
            raise _error("holds a key; remove it: keys come from the environment (docs/buckets.md)")
        if not _NAME.fullmatch(parts.netloc):
            raise _error(f"{parts.netloc!r} is not the name of a bucket; write {SCHEME}bucket")
        prefix = parts.path.strip("/")
        if (prefix and not _PREFIX.fullmatch(prefix)) or {".", ".."} & {*prefix.split("/")}:
            raise _error(f"{prefix!r} is not a prefix; use letters, digits, - _ . and /")
        if parts.fragment:
            raise _error(f"has #{parts.fragment}; options follow a question mark")
        options = _read_options(parts.query)
        return cls(
            parts.netloc,
            prefix,
            _check_endpoint(options.get("endpoint", "")),
            options.get("region", ""),
            options.get("checksum") != "none",
            options.get("style") == "virtual",
            options.get("credentials") == "instance",
        )

    @property
    def url(self) -> str:
        """Return the address of the requests, with the bucket if it is part of the host name."""
        if self.endpoint and self.is_virtual:
            scheme, _, host = self.endpoint.partition("://")
            return f"{scheme}://{self.name}.{host}"
        return self.endpoint

    def __str__(self) -> str:
        """Return the address without options."""
        return f"{SCHEME}{self.name}/{self.prefix}".rstrip("/")


def _read_options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _VALUES:
            raise _error(f"{name!r} is not an option{_near_miss(name)}")
        allowed = _VALUES[name]
        if allowed and value not in allowed:
            raise _error(f"{name} is {' or '.join(allowed)}, not {value!r}")
        if name in options:
            raise _error(f"{name} is given twice")
        options[name] = value
    if "region" in options and not _REGION.fullmatch(options["region"]):
        raise _error(f"{options['region']!r} is not a region")
    return options


def _check_endpoint(endpoint: str) -> str:
    if not endpoint:
        return ""
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:  # a port that is not a number, or brackets without an IPv6 address
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise _error(f"endpoint {endpoint!r} is not an address such as https://s3.example.com")
    if "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
        raise _error("endpoint is a scheme and a host, and nothing else")
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        raise _error("endpoint begins with http://, which sends images unprotected; use https://")
    return f"{parts.scheme}://{parts.netloc}"


def _near_miss(name: str) -> str:
    import difflib  # noqa: PLC0415  only for a mistake

    close = difflib.get_close_matches(name, _VALUES, n=1)
    return f"; did you mean {close[0]}?" if close else f"; the options are {', '.join(_VALUES)}"


def _error(problem: str) -> PublishError:
    return PublishError(f"IMAGEHOST_REMOTE: {problem}")
