#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes the page of results: every table, with the machine, the date and the commands.  For a machine that does
# nothing else.
#   test/bench/report.sh > test/bench/results.md            half an hour
#   test/bench/report.sh --quick > test/bench/results.md    twenty minutes: slow peers once, shorter bursts
# The program is built as packages are, optimised at link time and by a profile.
# BENCH_WORK names a folder for the capture files, about 4 GB; without it they are made in a temporary one and removed.
set -euo pipefail
cd "$(dirname "$0")/../.."
work="${BENCH_WORK:-$(mktemp -d -t chompy-bench-XXXXXX)}"
if [ -z "${BENCH_WORK:-}" ]; then trap 'rm -rf "$work"' EXIT; fi
files=(--program build/optimised/chompy-probe) live=(--pin --program build/optimised/chompy-probe)
if [ "${1:-}" = --quick ]; then
  files+=(--slow-rounds 1)
  live+=(--pairs 5 --seconds 1 --peer-rounds 1 --rates "50000,200000,500000,0")
fi

cmake --preset release > /dev/null
cmake --build --preset release --target bench > /dev/null
packaging/build-optimised build/optimised > /dev/null
cat << 'PAGE'
# Results

Written by `test/bench/report.sh`; what is measured and how is in [README.md](README.md). Ratios carry over to other
machines, nanoseconds do not.

PAGE
status=0
# The first argument is the command as the page shows it.
run() {
  echo "\`$1\`"
  echo
  shift
  "$@" || status=1
  echo
}
run "test/bench/run.py${files[*]:+ ${files[*]}}" test/bench/run.py --work "$work" ${files[@]+"${files[@]}"}
run "test/bench/live.py ${live[*]}" test/bench/live.py "${live[@]}"
micro=build/release/test/bench/bench_micro
if [ -x $micro ]; then
  printf '## Stages one by one\n\n```\n'
  $micro --benchmark_min_time=0.2 2> /dev/null | tail -n +2
  printf '```\n'
fi
exit $status
