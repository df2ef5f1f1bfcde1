#!/usr/bin/env bash
# Runs every fuzz target of both modules for a while. FUZZTIME is the time for each, 60s by default.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do
  dir=$(dirname "$file")
  grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | cut -d' ' -f2 | while read -r target; do
    echo "== $dir $target"
    # From within its folder, because the SDK is a module of its own. Left alone, or given a time for it, go would spend
    # most of the time on making shorter what is merely interesting: a hundred times as many inputs are tried so.
    (cd "$dir" && go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-60s}" -fuzzminimizetime 100x .)
  done
done
