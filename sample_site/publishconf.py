# The settings for the published site: pelican content -s publishconf.py

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from pelicanconf import *  # noqa: F403 - these settings build on the others

SITEURL = "https://blog.example.com"

# Pages name their pictures at this address; none is copied into the output.
IMAGEHOST_URL = "https://img.example.com"
# A picture that can't be found stops the build, rather than reaching a reader.
IMAGEHOST_STRICT = True

FEED_ALL_ATOM = "feeds/all.atom.xml"
DELETE_OUTPUT_DIRECTORY = True
