"""`python -m pelican_imagehost` is the command line."""

from pelican_imagehost.cli import main

main(prog_name="pelican-imagehost")
