"""Installed as `pelican.plugins.imagehost`, where Pelican looks for plugins by itself."""

from pelican_imagehost import register

__all__ = ["register"]
