#!/usr/bin/env bash
# Writes the report into one comment on the pull request, and updates that comment from then on. Where GitHub refuses
# it, as for a pull request from a fork, this is a warning: the gate's verdict decides whether the job fails.
# From the environment: NUMBER, REPORT, NAME, GH_TOKEN; and GITHUB_REPOSITORY.
set -uo pipefail

if [ ! -f "$REPORT/regression.md" ]; then
    echo "there is no report to comment"
    exit 0
fi
export MARKER="<!-- lstm-bench regression of ${NAME//[<>]/} -->"
most=65000 # GitHub takes 65536 characters
body=$(mktemp)
{
    echo "$MARKER"
    if [ "$(wc -c < "$REPORT/regression.md")" -gt "$most" ]; then
        printf 'The end is cut off: the uploaded regression.md has all.\n\n'
    fi
    head -c "$most" "$REPORT/regression.md" | iconv -c -f UTF-8 -t UTF-8 # a letter may be cut in two
} > "$body"

comment() {
    local comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments" all mine
    all=$(gh api --paginate "$comments" \
        --jq '.[] | select(.user.type == "Bot" and (.body | startswith(env.MARKER))) | .id') || return
    mine=${all%%$'\n'*}
    if [ -n "$mine" ]; then
        gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$mine" --field "body=@$body"
    else
        gh api --silent --method POST "$comments" --field "body=@$body"
    fi
}

comment || echo "::warning::the table could not be commented on the pull request; regression.md in the artifact has it"
