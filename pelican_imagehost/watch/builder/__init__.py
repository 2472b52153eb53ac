"""The forked process that holds a site in memory and writes pages, with Pelican in it."""
