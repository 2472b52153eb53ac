"""The address of a bucket, the keys for it, and what is said when something is wrong with them."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, ClassVar

import pytest

from pelican_imagehost.errors import PublishError
from pelican_imagehost.publish import objects
from pelican_imagehost.publish.bucket import Bucket
from pelican_imagehost.publish.credentials import find_credentials
from pelican_imagehost.publish.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Require, Site

KEYS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}


@pytest.fixture(autouse=True)
def _no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any key, and ask no metadata address, whatever happens."""
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_everything_in_an_address_is_read() -> None:
    endpoint = "https://s3.example.com"
    options = f"endpoint={endpoint}&region=eu-1&checksum=none&style=virtual&credentials=instance"
    bucket = Bucket.parse(f"s3://pictures/blog/images/?{options}")
    assert bucket == Bucket("pictures", "blog/images", endpoint, "eu-1", False, True, True)
    assert bucket.url == "https://pictures.s3.example.com"
    assert str(bucket) == "s3://pictures/blog/images"
    assert Bucket.parse("s3://pictures") == Bucket("pictures", "", "", "", True, False, False)
    assert Bucket.parse("s3://p1c?checksum=sha256&style=path").has_checksums
    escaped = Bucket.parse("s3://pictures?endpoint=https%3A%2F%2Fs3.example.com%3A8443")
    assert escaped.url == "https://s3.example.com:8443"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("s3://", "is not the name of a bucket"),
        ("s3:///prefix", "is not the name of a bucket"),
        ("s3://a b/c", "is not the name of a bucket"),
        ("s3://pictures:80/c", "is not the name of a bucket"),
        ("s3://id:word@pictures/c", "holds a key"),
        ("s3://id@pictures", "holds a key"),
        ("s3://pictures/a b", "is not a prefix"),
        ("s3://pictures/a/../b", "is not a prefix"),
        ("s3://pictures/a//b", "is not a prefix"),
        ("s3://pictures/ä", "is not a prefix"),
        ("s3://pictures/a#b", "options follow a question mark"),
        ("s3://pictures?endpiont=https://s3.example.com", "did you mean endpoint?"),
        ("s3://pictures?Region=eu", "did you mean region?"),
        ("s3://pictures?secret=x", "'secret' is not an option; the options are endpoint, region"),
        ("s3://pictures?region=a&region=b", "region is given twice"),
        ("s3://pictures?region=", "is not a region"),
        ("s3://pictures?region=a/b", "is not a region"),
        ("s3://pictures?checksum=md5", "checksum is sha256 or none, not 'md5'"),
        ("s3://pictures?style=host", "style is path or virtual, not 'host'"),
        ("s3://pictures?credentials=file", "credentials is instance, not 'file'"),
        ("s3://pictures?endpoint=s3.example.com", "is not an address such as https://"),
        ("s3://pictures?endpoint=ftp://s3.example.com", "is not an address such as https://"),
        ("s3://pictures?endpoint=https://", "is not an address such as https://"),
        ("s3://pictures?endpoint=https://s3.example.com:x", "is not an address such as https://"),
        ("s3://pictures?endpoint=https://id:word@s3.example.com", "a scheme and a host"),
        ("s3://pictures?endpoint=https://s3.example.com/path", "a scheme and a host"),
        ("s3://pictures?endpoint=http://s3.example.com", "use https://"),
        ("s3://pictures?endpoint=http://127.0.0.1.example.com", "use https://"),
        ("s3://pictures?endpoint=http://localhost.example.com", "use https://"),
    ],
)
def test_a_wrong_address_is_refused(address: str, problem: str) -> None:
    with pytest.raises(PublishError) as caught:
        Bucket.parse(address)
    assert problem in str(caught.value)
    assert "word" not in str(caught.value)  # nothing of a key is printed


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8:9000", "[::1]:9000"])
def test_this_machine_may_be_asked_without_encryption(host: str) -> None:
    assert Bucket.parse(f"s3://pictures?endpoint=http://{host}").url == f"http://{host}"


@pytest.mark.parametrize(
    "command",
    [("publish",), ("init",), ("retract", "x.png"), ("verify", "--published"), ("gc",), ("serve",)],
)
def test_every_command_refuses_a_wrong_address(site: Site, command: tuple[str, ...]) -> None:
    site.configure(
        IMAGEHOST_URL="http://127.0.0.1:9", IMAGEHOST_REMOTE="s3://pictures?endpiont=http://::1"
    )
    completed = site.cli(*command)
    assert completed.returncode == 1
    assert b"did you mean endpoint?" in completed.stderr
    assert b"Traceback" not in completed.stderr


BUCKET = Bucket.parse("s3://pictures/blog")


def write_keys(file: Path, section: str = "default", session: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = {"aws_access_key_id": "file-id", "aws_secret_access_key": "file%word"}
    lines |= {"aws_session_token": session} if session else {}
    text = "".join(f"{name} = {value}\n" for name, value in lines.items())
    file.write_text(f"[other]\nregion = x\n[{section}]\n{text}")


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(tmp_path / ".aws/credentials")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert find_credentials(BUCKET) == {}  # obstore reads the environment itself


@pytest.mark.parametrize(
    "variables",
    [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    ],
)
def test_a_container_or_a_web_identity_is_left_to_obstore(
    variables: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in variables:
        monkeypatch.setenv(name, "x")
    assert find_credentials(BUCKET) == {}


def test_the_shared_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(tmp_path / ".aws/credentials")
    expected = {"access_key_id": "file-id", "secret_access_key": "file%word"}
    assert find_credentials(BUCKET) == expected
    elsewhere = tmp_path / "elsewhere"
    write_keys(elsewhere, "work", session="a-session")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(elsewhere))
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert find_credentials(BUCKET) == expected | {"session_token": "a-session"}


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("aws_access_key_id = x\n")
    with pytest.raises(PublishError, match="credentials cannot be read: File contains no section"):
        find_credentials(BUCKET)


def test_boto3_is_asked_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, require: Require
) -> None:
    require(importlib.util.find_spec("boto3"), "boto3 is not installed")
    program = tmp_path / "tell"
    key = {"Version": 1, "AccessKeyId": "boto-id", "SecretAccessKey": "boto-word"}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(key)}'\n")
    program.chmod(0o755)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(f"[default]\ncredential_process = {program}\n")
    provided = find_credentials(BUCKET)["credential_provider"]()
    assert (provided["access_key_id"], provided["secret_access_key"]) == ("boto-id", "boto-word")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    (tmp_path / ".aws/config").unlink()
    with pytest.raises(PublishError):  # and not the metadata address, which would take seconds
        find_credentials(BUCKET)


def test_without_a_key_the_four_ways_are_named_before_any_request(site: Site) -> None:
    site.picture("content/a.png")
    site.write("content/a.md", "Title: a\nDate: 2024-01-01\n\n![a](a.png)\n")
    site.configure(
        IMAGEHOST_URL="http://127.0.0.1:9", IMAGEHOST_REMOTE="s3://pictures?endpoint=http://[::1]:9"
    )
    completed = site.cli("publish")
    assert completed.returncode == 1
    for way in (b"AWS_ACCESS_KEY_ID", b"~/.aws/credentials", b"boto3", b"credentials=instance"):
        assert way in completed.stderr
    served = site.cli("serve", "--port", "0")
    assert served.returncode == 1
    assert b"credentials=instance" in served.stderr
    assert b"Traceback" not in served.stderr
    asked = Bucket.parse("s3://pictures?credentials=instance")
    assert find_credentials(asked) == {}


def test_without_obstore_one_sentence_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "from pelican_imagehost.publish.bucket import Bucket\n"
        "from pelican_imagehost.publish.objects import Objects\n"
        "Objects(Bucket.parse('s3://pictures'))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    needed = "s3://pictures needs obstore; run: pip install 'pelican-imagehost[s3]'"
    assert completed.stderr.splitlines()[-1].endswith(needed)


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers every request with one error, as services do that the tests cannot run."""

    protocol_version = "HTTP/1.1"
    status: ClassVar[int]
    body: ClassVar[bytes]

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        yield Objects(Bucket.parse(f"s3://pictures/blog?endpoint={endpoint}"))
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (
            (403, "RequestTimeTooSkewed", "The difference is too large."),
            "the clock of this machine",
        ),
        ((404, "NoSuchBucket", "The bucket does not exist."), "there is no bucket s3://pictures"),
        ((403, "InvalidAccessKeyId", "No such key."), "does not know this key"),
        ((403, "SignatureDoesNotMatch", "Check your key."), "refused the secret key"),
        ((400, "ExpiredToken", "The token has expired."), "does not know this key"),
        ((403, "AccessDenied", "Access Denied"), "put, get, list and delete"),
        ((400, "AuthorizationHeaderMalformed", "expecting 'eu-west-1'"), "in another region"),
        ((400, "InvalidArgument", "Unsupported header 'x-amz-checksum-sha256'"), "checksum=none"),
        ((400, "BadDigest", "It did not match."), "damaged on the way"),
        ((409, "Strange", "Nobody knows."), "refused a request"),
    ],
)
def test_an_error_of_the_service_is_explained(
    service: Objects, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str, str], advice: str
) -> None:
    status, code, said = answer
    body = f"<Error><Code>{code}</Code><Message>{said}</Message><Resource>/p/503</Resource></Error>"
    monkeypatch.setattr(Refusing, "status", status, raising=False)
    monkeypatch.setattr(Refusing, "body", body.encode(), raising=False)
    with pytest.raises(PublishError) as caught:
        service.put("ab/name.png", b"x", {})
    first, second = str(caught.value).split("\n  ")
    assert advice in first
    assert second == f"{code}: {said}"
    with pytest.raises(PublishError):
        [*service.list()]


def test_no_answer_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(objects, "RETRIES", 3)
    with pytest.raises(PublishError, match="does not answer; check endpoint"):
        Objects(Bucket.parse("s3://pictures?endpoint=http://127.0.0.1:9")).head("x")


def test_init_prints_the_rules_and_leaves_the_store_alone(site: Site) -> None:
    site.configure(IMAGEHOST_URL="https://img.example.com", IMAGEHOST_REMOTE="s3://pictures/blog")
    subprocess.run(["git", "init", "--quiet", site.root], check=True)
    completed = site.cli("init")
    assert completed.returncode == 0, completed.stderr
    assert b'"s3:prefix"' in completed.stdout
    assert not (site.root / "images/.git").exists()
    assert (site.root / ".git/hooks/pre-push").exists()
    refused = site.cli("init", "--clone", "s3://pictures/blog")
    assert refused.returncode == 1
    assert b"verify --repair" in refused.stderr
