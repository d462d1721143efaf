#!/usr/bin/env bash
# Says where this suite is, and a key for the cache of its environments. hashFiles() does not look outside the workspace.
# From the environment: GITHUB_OUTPUT.
set -euo pipefail

suite=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
{
    echo "path=$suite"
    echo "key=$(sha256sum < "$suite/pyproject.toml" | cut -c1-16)"
} >> "$GITHUB_OUTPUT"
