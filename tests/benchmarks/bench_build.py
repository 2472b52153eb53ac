"""Compare warm runs of `pelican content` with the plugin, without it, and with image-process.

    python -m tests.benchmarks.bench_build [--rounds 7] [--image-process] [--content-cache]

Prints CPU seconds of the whole process, in alternating rounds; ratios are medians of rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.benchmarks.sites import configure, make_site
from tests.benchmarks.timing import compare, median, ratio, run

_PROCESS = """
IMAGE_PROCESS = {"thumb": ["scale_in 32 32 True"]}
"""

_CACHE = """
CACHE_CONTENT = True
LOAD_CONTENT_CACHE = True
"""


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--images", type=int, default=2500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--image-process", action="store_true")
    parser.add_argument("--content-cache", action="store_true", help="Pelican's own, off else")
    options = parser.parse_args()
    for layout in ("beside", "static"):
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), layout, options)


def _measure(root: Path, layout: str, options: argparse.Namespace) -> None:
    make_site(root, posts=options.posts, images=options.images, layout=layout)
    own = ["pelican_imagehost"]
    plugins = {"off": [], "no-variants": own, "on": own}
    if options.image_process:
        plugins["image-process"] = ["image_process"]
    commands = {}
    for name, names in plugins.items():
        more = _PROCESS + (_CACHE if options.content_cache else "")
        more += "IMAGEHOST_FORMATS = []\n" if name == "no-variants" else ""
        file = configure(root, name.replace("-", "_"), plugins=names, layout=layout, more=more)
        command = [sys.executable, "-m", "pelican", "content", "-q", "-s", file]
        commands[name] = partial(run, command, root)
    costs = compare(commands, rounds=options.rounds)
    print(f"{options.posts} posts, {options.images} images, {layout}:")
    for name in commands:
        line = f"  {name:14} {median(costs[name]):6.2f} s CPU, {median(costs[name], 'wall'):6.2f} s"
        print(f"{line}, {ratio(costs, name, 'off'):.3f} of off")
    print(f"  with variants, {ratio(costs, 'on', 'no-variants'):.3f} of no variants")


if __name__ == "__main__":
    main()
