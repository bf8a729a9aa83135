#!/bin/bash
# agent_test.sh LIBRARIES PROGRAMS: the thread that gives back what a silent program keeps (agent.c), and when there is
# none.
set -euo pipefail

library=$1/libupa_mmap.so
program=$2/preload_agent
failures=0

LD_PRELOAD=$library "$program" || failures=1

for setting in UPA_AGENT=0 UPA_STRICT=1 UPA_OFF=1; do
  env "$setting" LD_PRELOAD="$library" "$program" none || { echo "agent_test: there is one with $setting"; failures=1; }
done
exit $failures
