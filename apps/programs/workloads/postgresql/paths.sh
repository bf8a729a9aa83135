# Sourced. PostgreSQL's programs: the newest installed. It refuses to run as root; then it runs in a user namespace in
# which root is called postgres and the files stay root's own, so that no other user has to reach them.
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[[ -n $bin ]] || { echo "there is no /usr/lib/postgresql/*/bin: package=postgresql is not installed" >&2; exit 1; }
as_user=()
[[ $(id -u) -ne 0 ]] || as_user=(unshare --user --map-user=postgres --map-group=postgres)
