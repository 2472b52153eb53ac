"""The serving machine: hooks of the repositories, the served tree, releases, and nginx."""
