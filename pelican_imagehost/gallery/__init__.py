"""The gallery: a page of all images of the site, for any server."""
