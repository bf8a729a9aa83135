# shellcheck shell=bash
# paged.sh: to be sourced by the tests of the pager, with `upa` set. They are skipped (77) where the pager is not built.
# shellcheck disable=SC2154 # upa is the test's, and so is what is to be done at its end: `work` is to be removed
[[ -d ${upa%/*}/apps/tools/target/lib ]] || {
  echo "skipped: the pager is not built"
  exit 77
}
work=$(mktemp -d)
# A pager of this test's own: others kill theirs.
XDG_RUNTIME_DIR=$work/runtime
export XDG_RUNTIME_DIR
mkdir -m 700 "$XDG_RUNTIME_DIR"
# shellcheck disable=SC2034 # the test's exit status
failed=0

fail() {
  echo "FAILED: $*"
  failed=1
}

# await COMMAND...: until it succeeds, for half a minute; what a busy machine is late with is no failure.
await() {
  local i
  for ((i = 0; i < 300; i++)); do
    ! "$@" || return 0
    sleep 0.1
  done
  return 1
}

# is_said TEXT: whether that is among what the program in the background and its pager have said.
is_said() {
  grep -q "$1" "$work/err"
}

# Ends the test as skipped where this machine or user cannot page.
need_paging() {
  local status=0
  timeout 120 "$upa" run --policy clock --memory 16M -- true 2>"$work/err" || status=$?
  [[ $status -ne 0 ]] || return 0
  cat "$work/err"
  ! grep -q 'no paging on this machine' "$work/err" || exit 77
  exit 1
}

# run_socket PROGRAM: at which the processes of that run reach their pager; nothing if there is none.
run_socket() {
  local socket
  for socket in "$XDG_RUNTIME_DIR"/upa/*."$1"; do
    [[ ! -S $socket ]] || echo "$socket"
  done
}

# control_socket: that of the pager; nothing if there is none.
control_socket() {
  local socket
  for socket in "$XDG_RUNTIME_DIR"/upa/*.control; do
    [[ ! -S $socket ]] || echo "$socket"
  done
}

# ask COMMAND [PID]: what `upa policy COMMAND` would say of all pagers of this test, without a virtual machine of its
# own for each look.
ask() {
  if ! command -v python3 >/dev/null; then
    "$upa" policy "$@" 2>/dev/null || true
    return
  fi
  python3 - "$*" "$XDG_RUNTIME_DIR"/upa/*.control <<'END'
import socket, sys
for path in sys.argv[2:]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    answer = b''
    try:
        s.connect(path)
        s.send(sys.argv[1].encode())
        while part := s.recv(65536):
            answer += part
    except OSError:
        continue
    if answer.startswith(b'0\n'):
        sys.stdout.write(answer[2:].decode())
END
}

# pagers: all of this test.
pagers() {
  pgrep -f -- "serve --control $XDG_RUNTIME_DIR/" || true
}

# pager_of PROGRAM: the pager that is there for it.
pager_of() {
  local socket
  socket=$(run_socket "$1")
  [[ -z $socket ]] || pgrep -f -- "serve --control ${socket%.*}.control" || true
}

# keeper_of PROGRAM: who starts another pager for it.
keeper_of() {
  pgrep -f -- "^upa-run: for $1\$" || true
}
