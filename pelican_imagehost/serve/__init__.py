"""The upload service and its gallery, over HTTP. Needs `pelican-imagehost[server]`."""
