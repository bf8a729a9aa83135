# What JUnit's console says in the form "testfeed", as TAP. A line "exit status N ..." is said after each run.
# Exit status 1 if a test failed, or a run could not begin.
/ :: STARTED$/ || / (containers|tests) / || /^$/ { next }
/ :: SUCCESSFUL$/ { sub(/ :: SUCCESSFUL$/, ""); print "ok " ++n " - " $0; next }
/ :: FAILED$/ { sub(/ :: FAILED$/, ""); print "not ok " ++n " - " $0; failed = 1; next }
/ :: (SKIPPED|ABORTED)$/ {
	how = $NF; sub(/ :: (SKIPPED|ABORTED)$/, ""); print "ok " ++n " - " $0 " # SKIP " tolower(how); next
}
# A JVM that died, or tests that could not begin.
/^exit status 0 of / { next }
/^exit status / { if (!failed) print "not ok " ++n " - " $0; failed = 1; next }
{ print "# " $0 }
END {
	print "1.." n + 0
	exit failed
}
