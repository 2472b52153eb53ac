"""The command line, and the only place that installs log handlers.

Results go to standard output and messages to standard error, because editors read results
and show messages. Exit codes: 0 for success, 1 for a problem, 2 for invalid usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pelican_imagehost import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]


def _modules() -> Iterator[tuple[click.Command, ...]]:
    """Import one module of commands after the other; editors wait for those of `site`."""
    from pelican_imagehost.cli import site

    yield site.COMMANDS
    from pelican_imagehost.cli import publishing

    yield publishing.COMMANDS
    from pelican_imagehost.cli import care

    yield care.COMMANDS
    from pelican_imagehost.cli import host, serve, watch

    yield host.host, serve.serve, watch.watch


class _Commands(click.Group):
    """A group that imports only as many modules as the command at hand needs."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  Click's
        super().__init__(**options)
        self._rest = _modules()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        while cmd_name not in self.commands and self._load():
            pass
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        while self._load():
            pass
        return super().list_commands(ctx)

    def _load(self) -> bool:
        more = next(self._rest, ())
        for command in more:
            self.add_command(command)
        return bool(more)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pelican-imagehost")
def main() -> None:
    """Give the local images of a Pelican site permanent addresses."""
