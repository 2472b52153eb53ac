#!/bin/sh
# Restricts an ssh key to git and to the repositories given as arguments, whatever path the
# client asks for. In authorized_keys, on one line with the key:
#   restrict,command="{{ root }}/gate images.git site.git" ssh-ed25519 AAAA...
# Written by `pelican-imagehost host init`, which overwrites this file each time it is run.

asked=${SSH_ORIGINAL_COMMAND-}
case $asked in
    "git-receive-pack '"*"'" | "git receive-pack '"*"'") verb=receive-pack ;;
    "git-upload-pack '"*"'" | "git upload-pack '"*"'") verb=upload-pack ;;
    *)
        echo "imagehost: this key allows only git push and git fetch" >&2
        exit 128
        ;;
esac
for repository; do
    name=$(basename "$repository" .git)
    case $asked in
        *["/'"]"$name'" | *["/'"]"$name/'" | *["/'"]"$name.git'" | *["/'"]"$name.git/'")
            exec git "$verb" "{{ root }}/$repository"
            ;;
    esac
done
echo "imagehost: no such repository for this key; available: $*" >&2
exit 128
