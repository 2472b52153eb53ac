"""Smaller variants of images, and thumbnails: the only place that decodes and encodes pictures."""
