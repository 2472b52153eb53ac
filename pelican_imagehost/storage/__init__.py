"""The files of an image host: the store, the manifest, the index and the records."""
