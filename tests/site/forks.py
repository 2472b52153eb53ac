"""Builds many variants of a site: imports Pelican once, and forks for each build.

    python forks.py < {"name": [arguments of pelican]}

runs in the site's folder and leaves the messages and the exit code of each in
`NAME.log` and `NAME.code`.
"""

from __future__ import annotations

import json
import os
import sys

import docutils.core
import docutils.parsers.rst
import markdown
import pelican

import pelican_imagehost.plugin

__all__ = ["main"]

# Imported here, every fork has them.
SHARED = (docutils.core, docutils.parsers.rst, markdown, pelican_imagehost.plugin)


def main() -> None:
    """Build each variant, one after the other."""
    for name, arguments in json.load(sys.stdin).items():
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            _build(name, arguments)


def _build(name: str, arguments: list[str]) -> None:
    log = os.open(f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code: object = 0
    try:
        pelican.main(arguments)
    except SystemExit as stop:
        code = stop.code
    sys.stdout.flush()
    with open(f"{name}.code", "w", encoding="utf-8") as file:
        file.write(str(code or 0))
    os._exit(0)


if __name__ == "__main__":
    main()
