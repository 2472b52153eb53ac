"""Explain in a sentence why a request to a bucket failed, and what to do."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from pelican_imagehost.errors import PublishError

if TYPE_CHECKING:
    from pelican_imagehost.publish.bucket import Bucket

__all__ = ["explain"]

# A code or text of the service's → what to do; {0} is the bucket. The first match counts. Codes:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_ADVICE = [
    (
        r"[Uu]nsupported header.*checksum|checksum.*not (?:implemented|supported)",
        "{0} takes no checksums; add checksum=none to IMAGEHOST_REMOTE",
    ),
    (
        r"RequestTimeTooSkewed|RequestExpired",
        "the clock of this machine is wrong, so {0} refuses its requests; set it",
    ),
    (
        r"SignatureDoesNotMatch",
        (
            "{0} refused the secret key; check AWS_SECRET_ACCESS_KEY (or your profile), and the "
            "region in IMAGEHOST_REMOTE"
        ),
    ),
    (
        r"InvalidAccessKeyId|InvalidToken|ExpiredToken|TokenRefreshRequired",
        "{0} does not know this key; check AWS_ACCESS_KEY_ID (or your profile)",
    ),
    (
        r"NoSuchBucket|InvalidBucketName",
        "there is no bucket {0}; make it, or check its name and endpoint in IMAGEHOST_REMOTE",
    ),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint",
        "{0} is in another region; set region in IMAGEHOST_REMOTE",
    ),
    (
        r"AccessDenied|AllAccessDisabled|\b401 \b|\b403 \b|Unauthori[sz]ed",
        (
            "this key may not do this in {0}; it needs to put, get, list and delete objects "
            "(`pelican-imagehost init` prints a policy)"
        ),
    ),
    (
        r"BadDigest|XAmzContentSHA256Mismatch|InvalidDigest",
        "bytes were damaged on the way to {0}; try again",
    ),
    (
        r"SlowDown|ServiceUnavailable|InternalError|TooManyRequests|\b5\d\d |\b429 ",
        "{0} is overloaded or broken; try again later",
    ),
    (
        r"dns error|failed to lookup address",
        "there is no such host; check endpoint in IMAGEHOST_REMOTE ({0})",
    ),
    (r"certificate", "the certificate of {0} is not valid; check endpoint in IMAGEHOST_REMOTE"),
    (
        r"HTTP error|[Cc]onnection|timed out|error sending request",
        "{0} does not answer; check endpoint in IMAGEHOST_REMOTE, and your connection",
    ),
]
_CODE = re.compile(r"<Code>([^<]+)</Code>(?:\s*<Message>([^<]*)</Message>)?")
_FEW = 200


def explain(error: Exception, bucket: Bucket) -> PublishError:
    """Make an error of a failed request: the cause, what to do, and the service's own words.

    Args:
        error: obstore's.
        bucket: the bucket.
    """
    text = str(error)
    found = _CODE.search(text)
    head = text.partition("\n\nDebug source:")[0]
    # With a code, the numbers in names and durations do not count.
    clue = " ".join(filter(None, found.groups())) if found else head
    details = (
        html.unescape(f"{found[1]}: {found[2] or ''}") if found else " ".join(head.split())[:_FEW]
    )
    if not found and re.search("HTTP error", head):
        clue = text  # whether the name, the certificate or the connection failed is further down
    for pattern, advice in _ADVICE:
        if re.search(pattern, clue):
            return PublishError(f"{advice.format(bucket)}\n  {details}")
    return PublishError(f"{bucket} refused a request\n  {details}")
