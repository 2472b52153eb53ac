"""The rules that `init` prints for a bucket: whose they are, that they run, and what they do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from botocore.validate import validate_parameters

from pelican_imagehost.host.config import HostName, render
from pelican_imagehost.publish.bucket import Bucket
from pelican_imagehost.publish.bucket_rules import bucket_rules
from tests.publish.test_author import make_ready
from tests.seaweed import KEYS, NEWCOMER, get
from tests.test_plugin import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import Site
    from tests.seaweed import Seaweed

ENDPOINTS = {
    "AWS S3": "",
    "Cloudflare R2": "https://0a.r2.cloudflarestorage.com",
    "Backblaze B2": "https://s3.eu-central-003.backblazeb2.com",
    "MinIO": "https://minio.example.com",
}
SECTIONS = ("Rights", "Readers", "CORS", "Old versions", "CDN")
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox"
# Stands for a program of the script's: notes the arguments, one call a line.
PROGRAM = f"""#!{sys.executable}
import json, os, sys
with open("calls", "a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
"""
SILENT = {"iam", "cloudfront"}  # services of AWS that the object store does not have

every_service = pytest.mark.parametrize("service", ENDPOINTS)


def rules(endpoint: str, place: str = "pictures/blog", *options: str) -> str:
    query = "&".join([f"endpoint={endpoint}"] * bool(endpoint) + [*options])
    return "\n".join(bucket_rules(Bucket.parse(f"s3://{place}?{query}"))) + "\n"


def services(text: str) -> list[str]:
    starts = [line for line in text.splitlines() if line.startswith("# Rules for ")]
    return [line.removeprefix("# Rules for ").partition(",")[0] for line in starts]


@pytest.mark.parametrize(
    ("endpoint", "service"),
    [
        *((endpoint, service) for service, endpoint in ENDPOINTS.items()),
        ("https://s3.eu-west-1.amazonaws.com", "AWS S3"),
        ("https://s3.dualstack.eu-west-1.amazonaws.com:443", "AWS S3"),
        ("https://S3.cn-north-1.AmazonAWS.com.cn", "AWS S3"),
        ("https://s3.eusc-de-east-1.amazonaws.eu", "AWS S3"),
        ("https://0a.eu.r2.cloudflarestorage.com", "Cloudflare R2"),
        ("https://play.min.io:9000", "MinIO"),
    ],
)
def test_the_rules_are_those_of_the_service_that_the_endpoint_names(
    endpoint: str, service: str
) -> None:
    text = rules(endpoint)
    assert services(text) == [service]
    assert "not tried there" in text


@pytest.mark.parametrize(
    "endpoint",
    ["https://s3.example.com", "http://127.0.0.1:9000", "https://amazonaws.com.example.com"],
)
def test_an_endpoint_that_names_none_gets_the_rules_of_all(endpoint: str) -> None:
    text = rules(endpoint)
    assert services(text) == [*ENDPOINTS]
    assert "take the rules of the one it follows" in text.splitlines()[0]


@every_service
def test_a_service_has_a_rule_of_each_kind(service: str) -> None:
    start, *sections = rules(ENDPOINTS[service]).split("## ")
    assert start.count("\n") == 1
    for section, name in zip(sections, SECTIONS, strict=True):
        title, *lines = section.splitlines()
        assert title.startswith(name)
        assert "".join(lines).strip("# ")
    assert "nosniff" in sections[-1] or '"ContentTypeOptions"' in sections[-1]


def execute(script: str, folder: Path) -> list[list[str]]:
    """Run a script in a folder, and return what it has called."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("aws", "b2", "mc", "npx"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["sh", "-eu", "-c", script], cwd=folder, env=environment, check=True)
    calls = folder / "calls"
    return [json.loads(line) for line in calls.read_text().splitlines()]


def read_aws(call: Sequence[str]) -> tuple[str, str, dict[str, Any], dict[str, str]]:
    """Return the service, the operation, its parameters, and the other options of a call of `aws`.

    The parameters are checked as `aws` does, by the description of the service in botocore.
    """
    service = {"s3api": "s3"}.get(call[1], call[1])
    given = dict(zip(call[3::2], call[4::2], strict=True))
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(operations[call[2]]).input_shape
    parameters = {}
    for name, member in shape.members.items():
        value = given.pop(f"--{xform_name(name, '-')}", None)
        if value is not None:
            parameters[name] = json.loads(value) if member.type_name == "structure" else value
    validate_parameters(parameters, shape)
    assert given.keys() <= {"--endpoint-url", "--region"}
    return service, xform_name(operations[call[2]]), parameters, given


@pytest.mark.parametrize("prefix", ["", "blog", "it's/(a)!"], ids=["none", "plain", "strange"])
@every_service
def test_the_rules_run_in_a_shell_and_name_the_prefix(
    service: str, prefix: str, tmp_path: Path
) -> None:
    """The programs themselves are not run: they would ask the service."""
    calls = execute(rules(ENDPOINTS[service], f"pictures/{prefix}"), tmp_path)
    below = f"{prefix}/" if prefix else ""
    objects = f"arn:aws:s3:::pictures/{below}*"
    found: list[object] = []
    for call in calls:
        values = [read_aws(call)[2]] if call[0] == "aws" else [*map(parse, call)]
        found += [parse(value) for one in values for value in leaves(one)]
    found += [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    texts = {str(leaf) for one in found for leaf in leaves(one)}
    assert "pictures" in "".join(texts)
    if service in {"AWS S3", "MinIO"}:
        assert objects in texts
        assert (f"{prefix}/*" in texts) == bool(prefix)  # what may be listed
    if prefix and service != "Cloudflare R2":  # which has no rules for a part of a bucket
        assert below in texts
    assert service != "AWS S3" or CSP in texts


def parse(text: object) -> object:
    """Return the value of a text that is JSON, or the text."""
    return json.loads(text) if isinstance(text, str) and text[:1] in {"{", "["} else text


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)]
    return [value]


@pytest.mark.parametrize(
    ("endpoint", "options", "partition"),
    [
        ("", ["region=eu-west-1"], "aws"),
        ("", ["region=us-gov-west-1"], "aws-us-gov"),
        ("https://s3.cn-north-1.amazonaws.com.cn", [], "aws-cn"),
        ("https://s3.eusc-de-east-1.amazonaws.eu", [], "aws-eusc"),
        ("https://minio.example.com", [], "aws"),
    ],
)
def test_names_in_policies_are_in_the_partition_of_the_region(
    endpoint: str, options: list[str], partition: str
) -> None:
    text = rules(endpoint, "pictures/cn-blog", *options)
    assert text.count(f'"arn:{partition}:s3:::pictures') == text.count('"arn:') == 3


def test_programs_ask_the_endpoint_and_never_that_of_aws_for_another(tmp_path: Path) -> None:
    for folder, endpoint, region in (
        ("aws", "", "eu-west-1"),
        ("named", "https://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("other", "https://s3.example.com", "home"),
    ):
        (tmp_path / folder).mkdir()
        calls = execute(rules(endpoint, "pictures", f"region={region}"), tmp_path / folder)
        asked = [read_aws(call) for call in calls if call[0] == "aws"]
        assert {service for service, *_ in asked} == {"s3", "iam", "cloudfront"}
        where = {"--endpoint-url": endpoint} if folder == "other" else {}
        for service, _, _, options in asked:
            assert options == ({} if service == "cloudfront" else where | {"--region": region})
    text = rules("https://0a.eu.r2.cloudflarestorage.com")
    assert text.count("pictures --jurisdiction eu ") == 2


def test_svgs_are_as_harmless_as_behind_our_own_server() -> None:
    line = f'add_header Content-Security-Policy "{CSP}" always;'
    host = HostName.parse("example.com")
    assert line in render("host/templates/nginx-images.conf", path="/", folder="/srv", site=host)
    assert line in rules(ENDPOINTS["MinIO"])
    for service in ("Cloudflare R2", "Backblaze B2"):
        assert f"Content-Security-Policy: {CSP}\n" in rules(ENDPOINTS[service])


def test_a_real_engine_does_what_the_rules_say(
    site: Site,
    seaweed: Seaweed,
    tmp_path: Path,
    identity: Path,  # noqa: ARG001  git's
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SeaweedFS takes policies, CORS and lifecycles; an IAM policy stands in that of the bucket."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    first, second = seaweed.gateways
    admin = boto3.client("s3", endpoint_url=first, region_name="us-east-1")
    admin.create_bucket(Bucket="ruled")
    for name in ("blog/a", "other/a"):
        admin.put_object(Bucket="ruled", Key=name, Body=b"x")
    assert get(f"{second}/ruled/blog/a").status == 403
    calls = execute(rules(first, "ruled/blog", "region=us-east-1"), tmp_path)
    asked = [read_aws(call) for call in calls if call[0] == "aws"]
    for service, operation, parameters, options in asked:
        if service == "s3" and operation != "put_public_access_block":  # which it does not have
            assert options["--endpoint-url"] == first
            getattr(admin, operation)(**parameters)
    wait_for(f"{second}/ruled/blog/a", 200)
    assert get(f"{second}/ruled/other/a").status == get(f"{second}/ruled/").status == 403
    blog = "https://blog.example.com"
    shown = get(f"{second}/ruled/blog/a", Origin=blog).headers["Access-Control-Allow-Origin"]
    assert shown in {"*", blog}
    (rule,) = admin.get_bucket_lifecycle_configuration(Bucket="ruled")["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert rule["Filter"] == {"Prefix": "blog/"}

    (author,) = (one["PolicyDocument"] for _, _, one, _ in asked if "PolicyDocument" in one)
    (public,) = (one["Policy"] for _, _, one, _ in asked if "Policy" in one)
    document = json.loads(public)
    newcomer = {"Principal": {"AWS": ["arn:aws:iam::000000000000:user/newcomer"]}}
    document["Statement"] += [one | newcomer for one in json.loads(author)["Statement"]]
    for name, value in NEWCOMER.items():
        monkeypatch.setenv(name, value)
    remote = f"s3://ruled/PREFIX?endpoint={first}&region=us-east-1"
    make_ready(site, tmp_path, url=f"{second}/ruled/blog", remote=remote.replace("PREFIX", "blog"))
    assert b"this key may not" in site.cli("publish", "-s", "publishconf.py").stderr
    admin.put_bucket_policy(Bucket="ruled", Policy=json.dumps(document))
    one = key_of(site.root / "content/one.png")
    publish = ("publish", "-s", "publishconf.py", "--wait", "20")
    deadline = time.monotonic() + 30
    while (published := site.cli(*publish)).returncode and time.monotonic() < deadline:
        assert b"this key may not" in published.stderr  # the policy has just changed
    assert published.returncode == 0, published.stderr
    assert get(f"{second}/ruled/blog/{one}").status == 200
    for command in (("retract", "content/one.png"), ("gc", "--yes")):
        done = site.cli(command[0], "-s", "publishconf.py", *command[1:])
        assert done.returncode == 0, done.stderr
    assert get(f"{second}/ruled/blog/{one}").status == 404
    elsewhere = site.cli("publish", "-s", "publishconf.py", "--all", remote.replace("PREFIX", "x"))
    assert elsewhere.returncode == 1
    assert b"this key may not" in elsewhere.stderr


def wait_for(url: str, status: int) -> None:
    """Wait until a gateway knows what another has been told."""
    deadline = time.monotonic() + 30
    while get(url).status != status:
        assert time.monotonic() < deadline
        time.sleep(0.05)
