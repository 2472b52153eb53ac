"""A front door: uploads over HTTP, and the gallery. Needs `pelican-imagehost[server]`."""
