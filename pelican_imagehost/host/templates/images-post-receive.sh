#!/bin/sh
# After a push, remove retracted images from the served tree. Most pushes retract nothing
# and need not wait for Python to start.
# Written by `pelican-imagehost host init`, which overwrites this file each time it is run.

updates=$(cat)
set -- $updates
[ $# -eq 3 ] && git diff-tree --quiet "$1" "$2" -- retracted 2>/dev/null ||
    echo "$updates" | {{ python }} -I -m pelican_imagehost hook images post-receive
