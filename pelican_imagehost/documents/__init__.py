"""What the author wrote: references to images, and the files they mean."""
