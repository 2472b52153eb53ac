"""Where bytes and facts live: the store, the manifest and the index."""
