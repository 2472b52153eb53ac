"""The author's side of publishing: the git repository of the store, and the pre-push hook."""
