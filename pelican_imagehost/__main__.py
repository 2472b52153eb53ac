"""Run the command line: `python -m pelican_imagehost`."""

from pelican_imagehost.cli import main

main(prog_name="pelican-imagehost")
