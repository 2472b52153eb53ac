"""Pelican's side: a site read, built, and its documents exported."""
