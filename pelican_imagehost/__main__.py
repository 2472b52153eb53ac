"""Run the command line, or the hooks of a host: `python -m pelican_imagehost`."""

import sys

if sys.argv[1:2] == ["hook"]:  # before Click is imported: each push waits for it
    from pelican_imagehost.host.hooks import main as run_hook

    sys.exit(run_hook(sys.argv[2:]))

from pelican_imagehost.cli import main

main(prog_name="pelican-imagehost")
