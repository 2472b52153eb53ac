#!/bin/sh
# Written by `pelican-imagehost host init`, which overwrites this file each time it is run.

exec "{{ python }}" -I -m pelican_imagehost hook {{ repository }} {{ hook }}
