"""The builder: a forked process, with Pelican, that keeps a site in memory and writes pages."""
