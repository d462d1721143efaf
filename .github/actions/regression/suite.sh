#!/usr/bin/env bash
# Says where this suite is, and keys for the cache of its environments: hashFiles() does not look outside the workspace.
# The second key is of what an implementation requires itself.
# From the environment: FILE; and GITHUB_WORKSPACE, GITHUB_OUTPUT.
set -euo pipefail

suite=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
short() { sha256sum | cut -c1-16; }
{
    echo "path=$suite"
    echo "key=$({ python --version; cat "$suite/pyproject.toml"; } | short)"
    echo "file-key=$({ [ -z "$FILE" ] || sed -n '/^REQUIRES/,/)/p' "$GITHUB_WORKSPACE/$FILE" 2> /dev/null || true; } | short)"
} >> "$GITHUB_OUTPUT"
