# The settings of a site that uses pelican-imagehost, all of them.
#
# There is nothing here about images: no PLUGINS, because Pelican finds the plugin
# by itself once it is installed, and no IMAGEHOST_... settings, because none is needed.

SITENAME = "Bollard Seven"
SITESUBTITLE = "A notebook of pelicans, drawn at the harbour"
AUTHOR = "The Watcher"
SITEURL = ""  # a draft is read at home; publishconf.py knows the real address

PATH = "content"
THEME = "theme"
OUTPUT_PATH = "output"
CACHE_PATH = "cache"
STATIC_PATHS = ["images"]

TIMEZONE = "Europe/Lisbon"
DEFAULT_LANG = "en"

# A notebook is read from its first page.
ARTICLE_ORDER_BY = "date"
DEFAULT_PAGINATION = False

# The theme has an index, a list for each folder, articles and pages: enough.
DIRECT_TEMPLATES = ["index"]
AUTHOR_SAVE_AS = ""
TAG_SAVE_AS = ""

# No feeds while writing.
FEED_ALL_ATOM = None
CATEGORY_FEED_ATOM = None
TRANSLATION_FEED_ATOM = None
AUTHOR_FEED_ATOM = None
AUTHOR_FEED_RSS = None
