"""Pelican's side: read a site, take part in its build, export its documents."""
