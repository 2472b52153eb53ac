#!/bin/sh
# Once the branch has moved, retracted images leave the served tree. Most pushes retract
# nothing, and need not wait for Python to start.
# Written by `pelican-imagehost host init`, which writes it again when it runs again.

read -r old new ref
git diff-tree --quiet "$old" "$new" -- retracted 2>/dev/null ||
    echo "$old $new $ref" | "${0%/*}/pre-receive" post-receive
