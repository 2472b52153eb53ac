"""The author's side of publishing: the store's repository, the push, and the pre-push hook."""
