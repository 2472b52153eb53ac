"""The host's side: the repositories' hooks, the served tree, releases, and nginx."""
