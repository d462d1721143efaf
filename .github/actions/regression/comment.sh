#!/usr/bin/env bash
# Writes the report into one comment on the pull request, and updates that comment from then on.
# From the environment: NUMBER, REPORT, FILE, GH_TOKEN; and GITHUB_REPOSITORY.
set -euo pipefail

if [ ! -f "$REPORT/regression.md" ]; then
    echo "there is no report to comment"
    exit 0
fi
export MARKER="<!-- lstm-bench regression of ${FILE//--/- -} -->"
body=$(mktemp)
{
    echo "$MARKER"
    cat "$REPORT/regression.md"
} > "$body"
comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments"
mine=$(gh api --paginate "$comments" --jq '.[] | select(.body | startswith(env.MARKER)) | .id' | head -n 1)
if [ -n "$mine" ]; then
    gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$mine" --field "body=@$body"
else
    gh api --silent --method POST "$comments" --field "body=@$body"
fi
