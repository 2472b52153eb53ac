"""The way to readers: the store's repository, publishing, and the host's side."""
