"""Installed as `pelican.plugins.imagehost`, so that Pelican finds the plugin by itself."""

from pelican_imagehost import register

__all__ = ["register"]
