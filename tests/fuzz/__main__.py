"""Fuzz without an end, guided by what is covered.

    python -m tests.fuzz {form,manifest,svg} [CORPUS] [-max_total_time=120] [-jobs=2]

Needs atheris: `pip install -e . --group test --group fuzz`. The options are libFuzzer's. Inputs
that reach something new are kept in the folder CORPUS; one that fails is written to `crash-…`.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

import atheris

_TARGETS = ("form", "manifest", "svg")
_LONGEST = ("-max_len=20000", "-timeout=5", "-rss_limit_mb=1024")


def main() -> None:
    """Run one target."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in _TARGETS:
        sys.exit(__doc__)
    with atheris.instrument_imports(include=["pelican_imagehost", "python_multipart"]):
        target = importlib.import_module(f"tests.fuzz.{name}")
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(target.SEEDS):
            Path(folder, str(number)).write_bytes(seed)
        corpora = [one for one in sys.argv[2:] if not one.startswith("-")]
        options = [one for one in sys.argv[2:] if one.startswith("-")]
        atheris.Setup([sys.argv[0], *_LONGEST, *options, *corpora, folder], target.check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
