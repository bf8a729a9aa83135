# shellcheck shell=bash
# full_programs.sh - what programs_test.sh runs besides with --full: languages, desktop programs, a second database, and
# tools that look at other programs or change what these may do. Sourced there.
# shellcheck disable=SC2154 # scale, work, server: programs_test.sh's

in_octave() {
  octave-cli --no-gui --quiet --eval "
    rand('twister', 1); s = 0;
    for i = 1:(20 * $scale),
      a = rand(300 + mod(i, 50)); b = a * a' + eye(size(a)); s += trace(b) + numel(find(b > 50));
    end;
    printf('%.6f\n', s); c = {}; for i = 1:3000, c{end + 1} = repmat('x', 1, mod(i, 500)); end;
    printf('%d\n', numel([c{:}]));"
}

in_r() {
  R --vanilla --slave -e '
    set.seed(1); s <- 0
    for (i in 1:40) { a <- matrix(runif(90000), 300); s <- s + sum(diag(a %*% t(a))); if (i %% 10 == 0) gc() }
    cat(sprintf("%.4f\n", s))
    d <- data.frame(k = sample(letters, 2e5, TRUE), v = runif(2e5))
    print(aggregate(v ~ k, d, mean))
    l <- lapply(1:3000, function(i) rep("x", i %% 500)); cat(sum(lengths(l)), "\n")
    x <- parallel::mclapply(1:4, function(i) sum(as.numeric(1:1e6)) * i, mc.cores = 2); print(unlist(x))'
}

in_ruby() {
  ruby -e 'h = Hash.new { |m, k| m[k] = [] }
    300_000.times { |i| h[i % 997] << "v" * (i % 300); h[i % 997].shift(50) if h[i % 997].size > 100 }
    puts h.values.flatten.sum(&:size)
    puts 8.times.map { |t| Thread.new { (1..40_000).map { |i| (i * t).to_s }.join.size } }.map(&:value).inspect
    GC.compact if GC.respond_to?(:compact)
    r, w = IO.pipe
    fork { r.close; w.write((1..200_000).sum { |i| "x#{i}".size }.to_s) }
    w.close; Process.wait; puts r.read'
}

in_ocaml() {
  cat >work.ml <<'PROGRAM'
let () =
  let table = Hashtbl.create 16 in
  for i = 1 to 2_000_000 do
    Hashtbl.replace table (i mod 5003) (Bytes.make (i mod 300) 'x');
    if i mod 500_000 = 0 then Gc.compact ()
  done;
  print_int (Hashtbl.fold (fun _ b n -> n + Bytes.length b) table 0);
  print_newline ()
PROGRAM
  ocaml work.ml
}

in_haskell() {
  cat >Work.hs <<'PROGRAM'
import qualified Data.Map.Strict as M
import Data.List (foldl')
main :: IO ()
main = do
  let m = foldl' (\a i -> M.insertWith (+) (i `mod` 5003) i a) M.empty [1 .. 600000 :: Integer]
  print (M.size m, sum (M.elems m))
  print (length (show (product [1 .. 5000 :: Integer])))
PROGRAM
  ghc -O1 -v0 -threaded -rtsopts Work.hs -o work && ./work +RTS -N2
}

in_emacs() {
  emacs --batch --quick --eval '(progn
    (let ((kept nil) (sum 0))
      (dotimes (i 200000)
        (setq sum (+ sum (length (make-string (% i 500) ?x))))
        (when (= 0 (% i 97)) (push (make-vector 100 i) kept))
        (when (= 0 (% i 20000)) (setq kept nil) (garbage-collect)))
      (princ (format "%d %d\n" sum (length kept))))
    (with-temp-buffer
      (dotimes (i 50000) (insert (format "%d line\n" i)))
      (sort-lines t (point-min) (point-max))
      (princ (md5 (buffer-string)))))'
}

in_libreoffice() {
  seq 1 2000 | awk '{ print "Paragraph " $1 ": " $1 * 7919 % 100003 "\n" }' >text.txt
  soffice -env:UserInstallation="file://$PWD/profile" --headless --convert-to odt text.txt >/dev/null
  soffice -env:UserInstallation="file://$PWD/profile" --headless --convert-to txt:Text --outdir back text.odt >/dev/null
  tr -d '\r\357\273\277' <back/text.txt | sha256sum
}

in_mariadb() {
  local socket=$PWD/socket
  mkdir data
  mariadb-install-db --no-defaults --auth-root-authentication-method=normal --datadir="$PWD/data" >/dev/null
  serve mariadbd --no-defaults --user=root --datadir="$PWD/data" --socket="$socket" --skip-networking \
    --innodb-buffer-pool-size=64M
  answers mariadb-admin --no-defaults -u root --socket="$socket" ping
  mariadb --no-defaults -u root --socket="$socket" -N -e "
    create database d; use d; create table t(a int primary key, b varchar(60), key(b)) engine=innodb;
    insert into t select seq, md5(seq) from seq_1_to_100000;
    delete from t where a % 7 = 0; select count(*), sum(a), min(b), max(b) from t;
    select md5(group_concat(b order by b)) from (select b from t order by b limit 500) x; check table t;"
  finish
}

in_gdb() {
  printf '#include <stdlib.h>\n#include <string.h>\nint main(void) { char *p = malloc(1 << 20); memset(p, 7, 1 << 20);
    return p[9] - 7; }\n' >debugged.c
  gcc -g -O0 debugged.c -o debugged
  DEBUGINFOD_URLS='' gdb -nx -batch -ex 'break 4' -ex run -ex 'print p[100]' -ex 'print (char) p[1048575]' \
    -ex continue ./debugged 2>&1 | grep -oE '^\$.*|exited.*'
}

in_strace() {
  strace -f -o trace -e trace=execve bash -c 'seq 1 1000 | sort -n | tail -n 1'
  grep -c 'execve(' trace
}

in_valgrind() {
  printf '#include <stdlib.h>\nint main(void) { char *p = malloc(100000); p[5] = 1; free(p); return p[5]; }\n' >bad.c
  gcc -g -O0 -w bad.c -o bad
  valgrind -q ./bad 2>&1 | grep -cE 'Invalid read|inside a block of size 100,000 free' || true
}

in_bubblewrap() {
  bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all --die-with-parent \
    bash -c 'seq 1 100000 | sort -R --random-source=<(yes) | sort -n | sha256sum'
}

in_heaptrack() {
  heaptrack -o traced bash -c 'text=$(seq 1 20000); echo ${#text}' | grep -E '^[0-9]+$'
  heaptrack_print traced* 2>/dev/null | grep -c 'total runtime'
}

in_firefox() {
  printf '<body style="background: green"><h1>UPA</h1>' >page.html
  HOME=$PWD timeout 100 firefox-esr --headless --no-remote --profile "$PWD" --screenshot "$PWD/out.png" \
    --window-size 200,200 "file://$PWD/page.html" >/dev/null 2>&1
  python3 -c 'import sys; b = open("out.png", "rb").read(); print(b[1:4], b[16:24].hex())'
}

in_chromium() {
  printf '<script>let n = 0; for (let i = 0; i < 3e5; i++) n += new Array(i %% 50).fill(i).length;
    document.write("sum " + n)</script>' >page.html
  HOME=$PWD timeout 100 "$chromium" --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" --dump-dom \
    "file://$PWD/page.html" 2>/dev/null | grep -o 'sum [0-9]*'
}

program octave octave-cli in_octave
program r R in_r
program ruby ruby in_ruby
program ocaml ocaml in_ocaml
program haskell ghc in_haskell
program emacs emacs in_emacs
program libreoffice soffice in_libreoffice
program mariadb mariadbd in_mariadb
program gdb gdb in_gdb
program strace strace in_strace
program valgrind valgrind in_valgrind
program bubblewrap bwrap in_bubblewrap
program heaptrack heaptrack in_heaptrack
program firefox firefox-esr in_firefox
chromium=$(command -v chromium-headless-shell || command -v chromium || echo chromium)
program chromium "$chromium" in_chromium
