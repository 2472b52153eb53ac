"""The dialects of clients: one endpoint with several forms of request and answer.

Uploads by URL, which some dialects have, are not supported: a server that fetches URLs for
clients can be made to attack others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from pelican_imagehost.images.image import MEDIA_TYPES
from pelican_imagehost.serve.parts import Accepted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pelican_imagehost.report import HostedImage
    from pelican_imagehost.serve.refusal import Refusal

__all__ = ["DIALECTS", "PICGO", "Dialect", "sharex"]

Answer = dict[str, Any]


class Dialect(NamedTuple):
    """The protocol of one kind of client.

    Attributes:
        path: the path of the endpoint.
        accepted: the form fields for files.
        success: builds the answer from the images in order.
        failure: builds the answer for a refusal.
        key: the form field for the token; "" if there is none.
    """

    path: str
    accepted: Accepted
    success: Callable[[Sequence[HostedImage]], Answer]
    failure: Callable[[Refusal], Answer]
    key: str = ""


def _plain(images: Sequence[HostedImage]) -> Answer:
    return {"url": images[0].url}


def _plain_failure(refusal: Refusal) -> Answer:
    return refusal.content


def _picgo(images: Sequence[HostedImage]) -> Answer:
    return {"success": True, "result": [hosted.url for hosted in images]}


def _picgo_failure(refusal: Refusal) -> Answer:
    return {"success": False, "message": str(refusal)}


def _lsky(images: Sequence[HostedImage]) -> Answer:
    image, name, url = images[0]
    markup = {
        "url": url,
        "html": f'<img src="{url}" alt="">',
        "markdown": f"![]({url})",
        "bbcode": f"[img]{url}[/img]",
    }
    data = {"key": image.sha256, "name": os.path.basename(image.key), "origin_name": name}
    facts = {"pathname": image.key, "extension": image.type, "size": image.size / 1024}
    return {"status": True, "message": "uploaded", "data": {**data, **facts, "links": markup}}


def _lsky_failure(refusal: Refusal) -> Answer:
    return {"status": False, "message": str(refusal), "data": {}}


def _lsky1(images: Sequence[HostedImage]) -> Answer:
    image, name, url = images[0]
    facts = {"name": name, "url": url, "size": image.size, "mime": MEDIA_TYPES[image.type]}
    return {"code": 200, "msg": "success", "data": {**facts, "sha256": image.sha256}}


def _lsky1_failure(refusal: Refusal) -> Answer:
    return {"code": refusal.status, "msg": str(refusal), "message": str(refusal), "data": []}


def _chevereto(images: Sequence[HostedImage]) -> Answer:
    image, name, url = images[0]
    data = {"name": image.sha256, "extension": image.type, "size": image.size, "url": url}
    facts = {"width": image.width, "height": image.height, "original_filename": name}
    file = {"filename": os.path.basename(image.key), "mime": MEDIA_TYPES[image.type]}
    same = {**file, "name": image.sha256, "extension": image.type, "url": url}
    links = {"display_url": url, "url_viewer": url, "image": same, "thumb": same, "medium": same}
    success = {"message": "image uploaded", "code": 200}
    return {
        "status_code": 200,
        "success": success,
        "image": {**data, **facts, **file, **links},
        "status_txt": "OK",
    }


def _chevereto_failure(refusal: Refusal) -> Answer:
    error = {"message": str(refusal), "code": refusal.status, "context": refusal.code}
    return {"status_code": refusal.status, "error": error, "status_txt": refusal.code}


PICGO = Dialect("/upload", Accepted(("files", "list"), 100), _picgo, _picgo_failure)
DIALECTS = (
    Dialect("/upload/image", Accepted(("img",), 1), _plain, _plain_failure),
    PICGO,
    Dialect("/api/upload", Accepted(("image",), 1), _lsky1, _lsky1_failure),
    Dialect("/api/v1/upload", Accepted(("file",), 1), _lsky, _lsky_failure),
    Dialect(
        "/api/1/upload",
        Accepted(("source", "image"), 1, as_text=True),
        _chevereto,
        _chevereto_failure,
        key="key",
    ),
)


def sharex(base: str, secret: str) -> Answer:
    """Build the configuration of a custom uploader for ShareX (version 13 of its format).

    Args:
        base: the address of this service, without a trailing slash.
        secret: the token of the user.
    """
    return {
        "Version": "13.0.0",
        "Name": "pelican-imagehost",
        "DestinationType": "ImageUploader",
        "RequestMethod": "POST",
        "RequestURL": f"{base}/upload/image",
        "Headers": {"Authorization": f"Bearer {secret}"},
        "Body": "MultipartFormData",
        "FileFormName": "img",
        "URL": "{json:url}",
        "ErrorMessage": "{json:error.message}",
    }
