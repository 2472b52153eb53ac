"""Read and write the objects of a bucket, with obstore, which no other module imports."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pelican_imagehost.errors import PublishError
from pelican_imagehost.images.image import MEDIA_TYPES
from pelican_imagehost.publish.credentials import find_credentials
from pelican_imagehost.publish.explain_bucket import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from pelican_imagehost.publish.bucket import Bucket

__all__ = ["Object", "Objects", "each"]

WORKERS = 16  # requests at once
_TIMEOUT = "30s"  # of one request
_RETRYING = timedelta(seconds=60)  # for answers such as 503
RETRIES = 25  # which take about 20 seconds where nobody answers
_RETRYING_FOR_CLIENT = timedelta(seconds=15)
_RETRIES_FOR_CLIENT = 8  # about 5 seconds
_CACHED = "public, max-age=31536000, immutable"  # RFC 8246
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')  # an ETag that is one (S3, "Common response headers")

Item = TypeVar("Item")
Result = TypeVar("Result")


class Object(NamedTuple):
    """An object: its name below the prefix, its size, and when it was last written, in seconds."""

    name: str
    size: int
    modified: float


class Objects:
    """The objects below the prefix of a bucket; for several threads.

    Args:
        bucket: the bucket.
        for_client: whether somebody waits for an answer, so that requests are given up sooner.

    Raises:
        PublishError: obstore is not installed, or there is no key.
    """

    def __init__(self, bucket: Bucket, *, for_client: bool = False) -> None:
        try:
            import obstore  # noqa: PLC0415  an extra
            from obstore.exceptions import BaseError  # noqa: PLC0415  as above
            from obstore.store import S3Store  # noqa: PLC0415  as above
        except ImportError as error:
            raise PublishError(
                f"{bucket} needs obstore; run: pip install 'pelican-imagehost[s3]'"
            ) from error
        self.bucket = bucket
        self._obstore, self._errors = obstore, (BaseError, OSError)
        options: dict[str, Any] = find_credentials(bucket)
        if bucket.url:
            options["aws_endpoint_url_s3"] = bucket.url  # which outdoes the environment
        if bucket.region:
            options["region"] = bucket.region
        if bucket.has_checksums:
            options["checksum_algorithm"] = "SHA256"
        self._store = S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            virtual_hosted_style_request=bucket.is_virtual,
            client_options={"timeout": _TIMEOUT, "allow_http": bucket.url.startswith("http://")},
            retry_config={
                "max_retries": _RETRIES_FOR_CLIENT if for_client else RETRIES,
                "retry_timeout": _RETRYING_FOR_CLIENT if for_client else _RETRYING,
            },
            **options,
        )

    def put(self, name: str, data: bytes, attributes: dict[str, str]) -> None:
        """Write an object; readers find all of it or nothing.

        Args:
            name: its name.
            data: its bytes.
            attributes: its headers.

        Raises:
            PublishError: it was not written, or not with these bytes.
        """
        try:
            answer = self._obstore.put(
                self._store, name, data, attributes=attributes, use_multipart=False
            )
        except self._errors as error:
            raise explain(error, self.bucket) from error
        if not self.bucket.has_checksums and not self._is_written(name, data, answer["e_tag"]):
            raise PublishError(f"{self.bucket} has other bytes of {name} than were sent; try again")

    def put_image(self, key: str, data: bytes) -> None:
        """Write an image, with the headers that readers are to get; otherwise as `put`."""
        media_type = MEDIA_TYPES[key.rpartition(".")[2]]
        attributes = {"Content-Type": media_type, "Cache-Control": _CACHED}
        if media_type == "image/svg+xml":  # a page's <img> shows it, but it opens as no page itself
            attributes["Content-Disposition"] = "attachment"
        self.put(key, data, attributes)

    def mark(self, name: str) -> None:
        """Write an empty object."""
        self.put(name, b"", {"Content-Type": "text/plain"})

    def _is_written(self, name: str, data: bytes, tag: str | None) -> bool:
        """Return whether the service has the bytes, if it does not check them itself."""
        found = _MD5.fullmatch(tag or "")
        if found and hashlib.md5(data, usedforsecurity=False).hexdigest() == found[1]:
            return True
        return self.get(name) == data

    def get(self, name: str) -> bytes | None:
        """Return the bytes of an object; None if it does not exist."""
        try:
            return bytes(self._obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None
        except self._errors as error:
            raise explain(error, self.bucket) from error

    def head(self, name: str) -> Object | None:
        """Look up an object; None if it does not exist."""
        try:
            return _object(self._obstore.head(self._store, name))
        except FileNotFoundError:
            return None
        except self._errors as error:
            raise explain(error, self.bucket) from error

    def list(self, folder: str = "", wanted: AbstractSet[str] | None = None) -> Iterator[Object]:
        """Yield every object, or those in a folder, or those with wanted names."""
        try:
            for part in self._obstore.list(self._store, folder or None, chunk_size=1000):
                for facts in part:
                    if wanted is None or facts["path"] in wanted:
                        yield _object(facts)
        except self._errors as error:
            raise explain(error, self.bucket) from error

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects, if they exist."""
        wanted = sorted(names)
        if not wanted:
            return
        try:
            self._obstore.delete(self._store, wanted)
        except FileNotFoundError:
            return
        except self._errors as error:
            raise explain(error, self.bucket) from error


def each(
    work: Callable[[Item], Result], items: Sequence[Item], advance: Callable[[Result], object]
) -> None:
    """Do requests, several at once; after an error no further ones are begun.

    Args:
        work: does one.
        items: what they are about.
        advance: called with each result, in order.
    """
    with ThreadPoolExecutor(min(WORKERS, len(items)) or 1) as pool:
        try:
            for result in pool.map(work, items):
                advance(result)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _object(facts: Any) -> Object:  # noqa: ANN401  obstore's dictionary
    return Object(facts["path"], facts["size"], facts["last_modified"].timestamp())
