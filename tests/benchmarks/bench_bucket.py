"""Compare publishing to a bucket with a boto3 script that makes the same puts.

    python -m tests.benchmarks.bench_bucket [--images 10000] [--keys 100000] [--rounds 3]

The bucket is SeaweedFS on this machine. Only the CPU time of the client counts: the time is
that of the engine, which has the same two cores. `publish --all` is the whole command, which
also looks at each image before it is sent; the script has 16 threads, as the command.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from pelican_imagehost.publish.objects import each
from tests.benchmarks.timing import Cost, compare, median, ratio, run
from tests.seaweed import BUCKET, KEYS, Place, Seaweed

_SIZE = 100_000  # bytes of an image
_SCRIPT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import boto3
from botocore.config import Config

folder, endpoint, bucket, prefix = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1",
                      config=Config(max_pool_connections=16))

def put(file):
    client.put_object(Bucket=bucket, Key=f"{prefix}/{file.parent.name}/{file.name}",
                      Body=file.read_bytes(), ContentType="image/png",
                      CacheControl="public, max-age=31536000, immutable",
                      ChecksumAlgorithm="SHA256")

with ThreadPoolExecutor(16) as pool:
    list(pool.map(put, Path(folder).glob("??/*.png")))
"""


def make_site(root: Path) -> None:
    (root / "content").mkdir(parents=True)
    lines = 'PATH = "content"\nTIMEZONE = "UTC"\nIMAGEHOST_URL = "http://127.0.0.1:9"\n'
    (root / "pelicanconf.py").write_text(f'{lines}IMAGEHOST_KEEP_METADATA = ["all"]\n')


def fill(root: Path, number: int) -> None:
    """Store images, which nothing looks at here."""
    for one in range(number):
        data = one.to_bytes(8, "big") + os.urandom(1000) * (_SIZE // 1000)
        digest = hashlib.sha256(data).hexdigest()
        file = root / "images" / digest[:2] / f"{digest}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def publish(root: Path, place: Place) -> Cost:
    command = [sys.executable, "-m", "pelican_imagehost", "publish", "--all", place.remote]
    return run(command, root)


def script(root: Path, endpoint: str, prefix: str) -> Cost:
    arguments = [str(root / "images"), endpoint, BUCKET, prefix]
    return run([sys.executable, "-c", _SCRIPT, *arguments], root)


def compare_puts(seaweed: Seaweed, root: Path, rounds: int) -> None:
    numbers = iter(range(1000))
    costs = compare(
        {
            "publish": lambda: publish(root, Place(seaweed, f"ours{next(numbers)}")),
            "boto3": lambda: script(root, seaweed.gateways[0], f"theirs{next(numbers)}"),
        },
        rounds=rounds,
        warm=False,
    )
    for name, some in costs.items():
        print(f"{name}: {median(some, 'wall'):.1f} s, {median(some):.2f} s of CPU time")
    print(f"CPU time, relative to boto3: {ratio(costs, 'publish', 'boto3'):.2f}")


def add_ten(seaweed: Seaweed, root: Path, keys: int, rounds: int) -> None:
    """Measure ten new images in a bucket that has many."""
    place = Place(seaweed, "many")
    names = [hashlib.sha256(b"%d" % one).hexdigest() for one in range(keys)]
    each(place.objects.mark, [f"{name[:2]}/{name}.png" for name in names], lambda _: None)
    fill(root, 120)  # so many that the bucket is listed
    publish(root, place)
    for _ in range(rounds):
        fill(root, 10)
        cost = publish(root, place)
        print(f"ten new into {keys:,}: {cost.wall:.1f} s, {cost.cpu:.2f} s of CPU time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ.update(KEYS)
    program = shutil.which("weed", path=os.path.dirname(sys.executable))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seaweed").mkdir()
        seaweed = Seaweed(str(program), folder / "seaweed")
        try:
            seaweed.start()
            make_site(folder / "first")
            make_site(folder / "second")
            if options.images:
                fill(folder / "first", options.images)
                compare_puts(seaweed, folder / "first", options.rounds)
            if options.keys:
                add_ten(seaweed, folder / "second", options.keys, options.rounds)
        finally:
            seaweed.close()


if __name__ == "__main__":
    main()
