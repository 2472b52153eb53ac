"""The tokens: from the environment, or from a private file."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pelican_imagehost.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VARIABLE", "default_file", "load_tokens", "make_tokens"]

VARIABLE = "IMAGEHOST_TOKEN"
_SHORTEST = 16
_TOKEN = re.compile(r"[\x21-\x7e]+")  # allowed in a header
_HEAD = """\
# Tokens for uploads, one per line: a name, then the secret. Keep this file private.
"""


def default_file() -> Path:
    """Return the default token file (XDG Base Directory Specification)."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config, "pelican-imagehost", "tokens")


def load_tokens(file: Path, environment: Mapping[str, str], site: Path) -> dict[str, str]:
    """Read the tokens.

    Args:
        file: the token file, with a name and a secret per line.
        environment: the environment; `IMAGEHOST_TOKEN` is used instead of the file.
        site: the folder of the site; it is published, so the file must not be in it.

    Returns:
        Name → secret.

    Raises:
        TokenError: no token, a token is too short, or other users can read the file.
    """
    if VARIABLE in environment:
        return {"environment": _checked(environment[VARIABLE], VARIABLE)}
    if file.resolve().is_relative_to(site.resolve()):
        raise TokenError(
            f"{file} is in the folder of the site, which is published; move it elsewhere"
        )
    try:
        status = file.stat()
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TokenError(f"cannot read the token file {file}: {reason}") from error
    if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        raise TokenError(f"other users can access {file}; run: chmod 600 {file}")
    return _parse(text, file)


def make_tokens(file: Path) -> None:
    """Create the token file with a new token, unless it exists.

    Raises:
        TokenError: the file cannot be written.
    """
    if file.exists():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(f"{_HEAD}default {secrets.token_urlsafe(32)}\n")
    except OSError as error:
        raise TokenError(f"cannot create the token file {file}: {error.strerror}") from error


def _parse(text: str, file: Path) -> dict[str, str]:
    tokens = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:  # noqa: PLR2004  as the message says
            raise TokenError(f"{file}:{number}: expected a name and a secret")
        if words[0] in tokens:
            raise TokenError(f"{file}:{number}: duplicate token name {words[0]}")
        tokens[words[0]] = _checked(words[1], f"{file}:{number}")
    if not tokens:
        raise TokenError(f"{file} does not contain a token; add a line with a name and a secret")
    return tokens


def _checked(secret: str, where: str) -> str:
    if len(secret) < _SHORTEST or _TOKEN.fullmatch(secret) is None:
        raise TokenError(
            f"{where}: a token must have at least {_SHORTEST} ASCII characters and no spaces; make "
            "one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return secret
