#!/bin/sh
# After a push, remove retracted images from the served tree. Most pushes retract nothing
# and need not wait for Python to start.
# Written by `pelican-imagehost host init`, which overwrites this file each time it is run.

read -r old new ref
git diff-tree --quiet "$old" "$new" -- retracted 2>/dev/null ||
    echo "$old $new $ref" | "{{ python }}" -I -m pelican_imagehost hook images post-receive
