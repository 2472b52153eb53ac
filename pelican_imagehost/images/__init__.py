"""Images: digest, type and size, and whether they may be hosted."""
