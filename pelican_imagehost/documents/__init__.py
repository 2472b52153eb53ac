"""Documents: the references to images in them, the files behind those, and the rewriting."""
