"""Run the command line, or a hook: `python -m pelican_imagehost`."""

import sys

# Before Click is imported: each push waits for these.
if sys.argv[1:2] == ["hook"]:
    from pelican_imagehost.host.hooks import main as run_hook

    sys.exit(run_hook(sys.argv[2:]))
if sys.argv[1:2] == ["pre-push"]:
    from pelican_imagehost.publish.pre_push import main as run_pre_push

    sys.exit(run_pre_push(sys.argv[2:]))

from pelican_imagehost.cli import main

main(prog_name="pelican-imagehost")
