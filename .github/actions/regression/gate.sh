#!/usr/bin/env bash
# Runs the gate. Its exit code is an output, so that the report is commented and uploaded before the job fails.
# From the environment: FILE, BASE, PROBLEMS, OPTIONS, REPORT; and GITHUB_WORKSPACE, GITHUB_OUTPUT.
set -euo pipefail

suite=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
arguments=(--base "$BASE" --impl "$GITHUB_WORKSPACE/$FILE" --out "$REPORT")
for problem in $PROBLEMS; do
    arguments+=(--problem "$problem")
done
read -r -a further <<< "$OPTIONS"

command -v nox > /dev/null || python -m pip install --quiet nox
code=0
(cd "$suite" && nox -s regression -- "${arguments[@]}" "${further[@]}") || code=$?
{
    echo "exit-code=$code"
    echo "report=$REPORT"
} >> "$GITHUB_OUTPUT"
