"""Maintain the images of a site: check, verify and repair them, and delete unused ones."""
