#!/usr/bin/env bash
# load_test.sh UPA_LOAD: right servers are found right, the same requests are sent each time, and every kind of wrong
# reply is noticed.
set -euo pipefail

load=$1
folder=${BASH_SOURCE[0]%/*}
python3=/usr/bin/python3
[[ -x $python3 ]] || { echo "there is no $python3"; exit 77; }
failed=0

problem() {
  echo "FAILED: $*"
  failed=1
}

# with_server PROTOCOL FAULT OPTION...: result in $status, $output
with_server() {
  local protocol=$1 fault=$2 port server
  shift 2
  exec {pipe}< <(exec "$python3" "$folder/server.py" "$protocol" $fault 2>/dev/null)
  server=$!
  read -r port <&"$pipe"
  status=0
  output=$("$load" "$protocol" "$port" --connections 3 --keys 30 --requests 200 "$@" 2>&1) || status=$?
  kill "$server"
  exec {pipe}<&-
}

right() { # CHECK PROTOCOL OPTION...
  local first
  with_server "$1" "" "${@:2}"
  first=$output
  [[ $status -eq 0 &&
    $output == '{"requests":'*'"seconds":'*'"throughput":'*'"p50_us":'*'"p99_us":'*'"check":"'*'"}' ]] ||
    problem "$*: status=$status $output"
  with_server "$1" "" "${@:2}"
  [[ ${first##*check} == "${output##*check}" ]] || problem "$*: not the same requests twice: $first $output"
}

wrong() { # MESSAGE PROTOCOL FAULT OPTION...
  with_server "${@:2}"
  [[ $status -eq 1 && $output == "upa-load: "*"$1"* && $(wc -l <<<"$output") -eq 1 ]] ||
    problem "$*: status=$status $output"
}

misuse() { # MESSAGE ARGUMENT...
  status=0
  output=$("$load" "${@:2}" 2>&1) || status=$?
  [[ $status -eq 2 && $output == "upa-load: "*"$1"* && $(wc -l <<<"$output") -eq 1 ]] ||
    problem "$*: status=$status $output"
}

right redis --least 0 --most 70000 --pipeline 4 --removals 10
right redis --pipeline 16 --removals 20 --reads 80 --snapshots 3
right memcached --least 1 --most 2000 --pipeline 7 --removals 10
right http
[[ $output == '{"requests":200,'* ]] || problem "http sends 200 requests, not $output"
with_server redis "" --pipeline 5
[[ $output == '{"requests":260,'* ]] || problem "30 keys set, 200 requests and 30 keys read back are 260, not $output"
for protocol in redis memcached; do
  wrong "wrong reply, expected=" "$protocol" value --reads 100
  wrong "wrong reply, expected=" "$protocol" lost --reads 100
  wrong "the server closed a connection" "$protocol" silent
done
wrong "is not what it was before" http value
wrong "expected=HTTP/1.1 200 got=HTTP/1.1 404" http status
wrong "background save=1 failed" redis save --snapshots 2
misuse "usage"
misuse "protocol=mysql is not" mysql 1
misuse "port=x is not a number" redis x
misuse "keys=0 is not a number from 1" redis 1 --keys 0
misuse "most=1 is less than least=2" redis 1 --least 2 --most 1
misuse "reads=60 and removals=50 are more than 100 percent" redis 1 --reads 60 --removals 50
misuse "keys=3 are fewer than connections=8" redis 1 --keys 3
misuse "snapshots=1 need protocol redis" memcached 1 --snapshots 1
misuse "unknown option" redis 1 --colour 1
exit "$failed"
