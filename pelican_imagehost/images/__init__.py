"""What an image is: its digest, type and size, and whether it may be hosted."""
