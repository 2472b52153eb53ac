"""Looking after a site: what is wrong, what is unused, and removing or restoring it."""
