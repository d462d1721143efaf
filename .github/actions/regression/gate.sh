#!/usr/bin/env bash
# Runs the gate. Its exit code is an output, so that the report is commented and uploaded before the job fails.
# From the environment: FILE, BASE, EVENT_BASE, PULLED, PROBLEMS, OPTIONS, REPORT; and GITHUB_WORKSPACE, GITHUB_OUTPUT.
set -euf -o pipefail # -f: a * in an input is no pattern

suite=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
if [ -z "$BASE" ]; then
    BASE=$EVENT_BASE
    # A pull request is checked out as a merge with its base branch, which may be newer than what the event says.
    if [ -n "$PULLED" ] && [ "$(git -C "$GITHUB_WORKSPACE" rev-parse --quiet --verify HEAD^2)" = "$PULLED" ]; then
        BASE=$(git -C "$GITHUB_WORKSPACE" rev-parse HEAD^1)
    fi
fi
arguments=(--base "$BASE")
if [ -n "$FILE" ]; then
    arguments+=(--impl "$GITHUB_WORKSPACE/$FILE")
fi
arguments+=(--out "$REPORT")
for problem in $PROBLEMS; do
    arguments+=(--problem "$problem")
done
read -r -d '' -a further <<< "$OPTIONS" || true # it may have several lines

code=0
if [ -z "${BASE//0/}" ]; then # such as a push of a new branch
    echo "::error::this event has no commit to compare with; set the input base"
    code=2
else
    command -v nox > /dev/null || python -m pip install --quiet "nox[uv]"
    (cd "$suite" && nox -s regression -- "${arguments[@]}" "${further[@]}") || code=$?
fi
if [ "$code" -eq 1 ] && [ ! -f "$REPORT/regression.json" ]; then
    code=3 # nox itself has failed: without a report there is no regression
fi
{
    echo "exit-code=$code"
    echo "report=$REPORT"
} >> "$GITHUB_OUTPUT"
