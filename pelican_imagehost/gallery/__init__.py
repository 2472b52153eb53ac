"""The gallery: the site's images as a person looks through them, whatever serves the page."""
