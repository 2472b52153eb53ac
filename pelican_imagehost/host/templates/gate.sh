#!/bin/sh
# Lets a key in for git alone, and only to the repositories named behind this file's name,
# whatever path the client says. In authorized_keys, on one line with the key:
#   restrict,command="{{ root }}/gate images.git site.git" ssh-ed25519 AAAA...
# Written by `pelican-imagehost host init`, which writes it again when it runs again.

asked=${SSH_ORIGINAL_COMMAND-}
case $asked in
    "git-receive-pack '"*"'" | "git receive-pack '"*"'") verb=receive-pack ;;
    "git-upload-pack '"*"'" | "git upload-pack '"*"'") verb=upload-pack ;;
    *)
        echo "imagehost: this key is for git push and git fetch alone" >&2
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
echo "imagehost: there is no such repository for this key; there are: $*" >&2
exit 128
