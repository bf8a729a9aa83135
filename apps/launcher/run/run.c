/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - upa-run: puts UPA's libraries in front of a program's own, and is then gone: the program has its process,
 * terminal, signals and exit status. `./upa run` has it built, and `upa-run --help` says the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fresh.h"
#include "libraries.h"
#include "mallocs.h"
#include "pager_process.h"
#include "program.h"
#include "say.h"
#include "stats.h"
#include "trace_file.h"

/* What a program under AddressSanitizer needs to start behind another library; UPA leaves it alone. */
#define ASAN_ORDER "verify_asan_link_order=0"

static const char usage_text[] =
	"usage: ./upa run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Runs PROGRAM, which need not know of it, with its private anonymous memory from UPA.\n"
	"\n"
	"  --malloc libc   keep libc's malloc, or the one that the program is linked with; its calls of mmap and brk\n"
	"                  come to UPA (default)\n"
	"  --malloc dl     dlmalloc instead, several heaps for several threads\n"
	"  --malloc NAME   jemalloc, mimalloc or tcmalloc, where it is installed; or the path of any malloc library\n"
	"  --malloc auto   the malloc with which the program has been measured to be fastest, if it has been\n"
	"  --no-upa        the same on the kernel's mmap, for comparison\n"
	"  --backend NAME  where the memory comes from: linear (the kernel, default); pte or pte-raw: the module of\n"
	"                  kernel-ext, for malloc's memory only, since it cannot protect or replace pages\n"
	"  --strict        touching memory after munmap faults, always; without it, memory that came from UPA can\n"
	"                  still be read and written until it is used again. A system call for each request, but no\n"
	"                  page faults\n"
	"  --policy NAME[,key=value...]\n"
	"                  holds each process's memory from UPA within --memory; what is over it goes to --store\n"
	"                  and comes back when it is touched; a policy chooses (./upa policy list). One process, the\n"
	"                  pager, does this for all such programs of a user\n"
	"  --memory SIZE   with --policy: 512M, say; at least 4M\n"
	"  --store LIST    with --policy: lz4[:SIZE], zstd[:SIZE], file:FOLDER[:SIZE] or redis://HOST:PORT,\n"
	"                  several by commas; default: lz4:1G,file:/var/tmp:4G. First of them may be\n"
	"                  numa:NODE[:SIZE], memory of another NUMA node, where pages stay mapped. Or zram alone,\n"
	"                  the kernel's swap\n"
	"  --stats         a table on standard error when a process exits that UPA has served, a line for all others\n"
	"  --stats=FILE, --stats=json, --stats=json:FILE\n"
	"                  the same into a file; as a line of JSON for each process\n"
	"  --trace FILE    records the process's page requests in FILE, those of its children in FILE.PID\n"
	"                  (./upa trace reads them)\n"
	"\n"
	"Environment variables, which the library prints itself:\n"
	"\n";

struct options {
	const char *malloc, *backend, *trace, *source, *java_source, *root, *stats_target, *policy, *memory, *store;
	bool no_upa, strict, stats, help;
};

/* The value of an option that is written --name VALUE or --name=VALUE; NULL if the word is another option. */
static const char *value_of(const char *name, const char *needs, char ***words)
{
	size_t length = strlen(name);
	const char *word = **words;

	if (strncmp(word, name, length) || (word[length] && word[length] != '='))
		return NULL;
	if (word[length] == '=')
		word += length + 1;
	else
		word = (*words)[1] ? *++*words : "";
	if (!*word)
		say_and_exit(STATUS_USAGE, "option %s needs %s", name, needs);
	return word;
}

/*
 * Returns the first word that is no option. --source ROOT is what `./upa` adds: the sources that all this was built
 * from. --built ROOT is the same, and nothing can be built, or --rebuilt ROOT, and what is in C has just been.
 */
static char **read_options(char **words, struct options *options)
{
	const char *value;

	if (words[0] && words[1] &&
	    (!strcmp(words[0], "--source") || !strcmp(words[0], "--built") || !strcmp(words[0], "--rebuilt"))) {
		options->root = words[1];
		options->source = words[0][2] == 's' ? words[1] : NULL;
		options->java_source = words[0][2] != 'b' ? words[1] : NULL;
		words += 2;
	}

	for (; *words && **words == '-'; words++) {
		if (!strcmp(*words, "--"))
			return words + 1;
		if ((value = value_of("--malloc", "libc, dl, auto, a name or the path of a library", &words))) {
			options->malloc = value;
		} else if ((value = value_of("--backend", "linear, pte or pte-raw", &words))) {
			if (strcmp(value, "linear") && strcmp(value, "pte") && strcmp(value, "pte-raw"))
				say_and_exit(STATUS_USAGE, "option --backend needs linear, pte or pte-raw");
			options->backend = value;
		} else if ((value = value_of("--policy", "the name of a policy", &words))) {
			options->policy = value;
		} else if ((value = value_of("--memory", "a size", &words))) {
			options->memory = value;
		} else if ((value = value_of("--store", "a list of stores", &words))) {
			options->store = value;
		} else if ((value = value_of("--trace", "the name of a file", &words))) {
			options->trace = value;
		} else if (!strcmp(*words, "--no-upa")) {
			options->no_upa = true;
		} else if (!strcmp(*words, "--strict")) {
			options->strict = true;
		} else if (!strcmp(*words, "--stats") || !strncmp(*words, "--stats=", 8)) {
			options->stats = true;
			options->stats_target = (*words)[7] ? *words + 8 : NULL;
		} else if (!strcmp(*words, "-h") || !strcmp(*words, "--help")) {
			options->help = true;
		} else {
			say_and_exit(STATUS_USAGE, "run has no option=%s", *words);
		}
	}
	return words;
}

/* Sets a variable to a list: ours, then what it was. */
static void put_in_front(const char *name, const char *ours)
{
	const char *now = getenv(name);

	if (setenv(name, now && *now ? joined("%s:%s", ours, now) : ours, 1))
		say_and_exit(STATUS_FAILURE, "out of memory");
}

static void put(const char *name, const char *value)
{
	if (setenv(name, value, 1))
		say_and_exit(STATUS_FAILURE, "out of memory");
}

/* `upa run` within `upa run`: what the outer one has preloaded counts no more. */
static void leave_outer_run(void)
{
	const char *preload = getenv("LD_PRELOAD");
	char *others = preload ? libraries_of_others(preload) : NULL;

	if (others && *others)
		put("LD_PRELOAD", others);
	else if (others)
		unsetenv("LD_PRELOAD");
}

/*
 * Has the library say what is wrong with a variable, since with a program it would go on. Returns whether libc's own
 * calls stay with the kernel on this machine.
 */
static bool probe(const char *library)
{
	static const char before[] = "upa: ", part[] = "upa: only part comes from UPA: ";
	static const char *const faults[] = { "; its default holds", "; it is ignored" };
	char *said = libraries_probe(library, 2), *rest, *end;
	bool only_part = strstr(said, part) != NULL;

	for (char *line = strtok_r(said, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
			if (!strncmp(line, before, strlen(before)) && (end = strstr(line, faults[i])))
				say_and_exit(STATUS_USAGE, "variable %.*s", (int)(end - line) - (int)strlen(before),
					     line + strlen(before));
	return only_part;
}

/*
 * What we write must not end us: a reader that has gone, or a limit on the size of files, is no reason not to run the
 * program. It gets the signals as we have got them.
 */
static const int raised_by_writing[] = { SIGPIPE, SIGXFSZ };

#define RAISED (sizeof(raised_by_writing) / sizeof(*raised_by_writing))

static struct sigaction as_given[RAISED];

static void ignore_signals(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < RAISED; i++)
		sigaction(raised_by_writing[i], &ignore, &as_given[i]);
}

static void take_signals_again(void)
{
	for (size_t i = 0; i < RAISED; i++)
		sigaction(raised_by_writing[i], &as_given[i], NULL);
}

static void print_usage(void)
{
	char *list, *rest;

	fputs(usage_text, stdout);
	put("UPA_SETTINGS", "print");
	list = libraries_probe(libraries_plain(libraries_own("libupa_mmap.so")), 1);
	for (char *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		printf("  %s\n", line);
	take_signals_again();
	if (fflush(stdout) || ferror(stdout))
		say_and_exit(STATUS_FAILURE, "cannot write the help to standard output: %s", strerror(errno));
	exit(0);
}

/* Has what is missing or older than its sources built, by `./upa`, which then runs this program again. */
static void build(const char *root, char **words)
{
	char *upa = joined("%s/upa", root), **again;
	size_t count = 0;

	while (words[count])
		count++;
	again = calloc(count + 3, sizeof(*again));
	if (!again)
		say_and_exit(STATUS_FAILURE, "out of memory");
	again[0] = upa;
	again[1] = "build-and-run";
	memcpy(again + 2, words, count * sizeof(*words));
	take_signals_again();
	execv(upa, again);
	say_and_exit(STATUS_FAILURE, "cannot build: %s: %s", upa, strerror(errno));
}

/* The shell that started us runs with -p; where its options are exported, the program's shells are to run without. */
static void take_back_privileged(void)
{
	static const char option[] = ":privileged";
	char *options = getenv("SHELLOPTS"), *found = options ? strstr(options, option) : NULL;

	if (found)
		put("SHELLOPTS", joined("%.*s%s", (int)(found - options), options, found + strlen(option)));
}

/* Whether it is no text: its first line holds a zero byte. */
static bool is_binary(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char start[256];
	ssize_t n = fd < 0 ? 0 : read(fd, start, sizeof(start));

	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < n && start[i] != '\n'; i++)
		if (!start[i])
			return true;
	return false;
}

/* A script without a first line that says so is run by sh, as from every shell. */
static void run_as_script(const char *path, char **command)
{
	size_t count = 0;
	char **words;

	while (command[count])
		count++;
	words = calloc(count + 2, sizeof(*words));
	if (!words)
		return;
	words[0] = "sh";
	words[1] = (char *)path;
	memcpy(words + 2, command + 1, count * sizeof(*words));
	execv("/bin/sh", words);
}

/* Sets up what the options ask for; the environment is the program's from here on. */
static void prepare(const struct options *options, const char *name, const struct program_look *look, char **words)
{
	char *upa = NULL, *other = NULL;
	bool blocks = look->kind == PROGRAM_MUSL;

	leave_outer_run();
	if (options->stats)
		unsetenv("UPA_STATS");
	if (!options->no_upa) {
		upa = libraries_plain(libraries_own("libupa_mmap.so"));
		blocks |= probe(upa);
	}
	if (!strcmp(options->malloc, "dl")) {
		other = libraries_plain(libraries_own("libupa_malloc.so"));
	} else if (!strcmp(options->malloc, "auto")) {
		const char *chosen = mallocs_choose(look);

		other = chosen ? libraries_plain(chosen) : NULL;
	} else if (strcmp(options->malloc, "libc")) {
		const char *file = mallocs_find(options->malloc);

		libraries_check(file);
		other = libraries_plain(file);
	}
	if (!other && upa && blocks) {
		other = libraries_plain(libraries_own("libupa_blocks.so"));
	}
	if (upa) {
		if (options->trace)
			put("UPA_TRACE", trace_file_prepare(options->trace));
		if (options->backend)
			put("UPA_BACKEND", options->backend);
		if (options->strict)
			put("UPA_STRICT", "1");
		if (options->stats) {
			char *rest = stats_rest();

			put("UPA_STATS", stats_target(options->stats_target));
			if (rest)
				put("UPA_STATS_REST", rest);
		}
		if (options->policy)
			put("UPA_PAGER", pager_start(options->root, options->java_source, options->policy,
						     options->memory, options->store, words));
		/* This process, which is about to be the program, says it if UPA can serve nothing or only part. */
		put("UPA_LAUNCHED", joined("%ld", (long)getpid()));
		if (look->why)
			say("nothing comes from UPA: program=%s: %s", name, look->why);
		else if (look->part)
			say("only part comes from UPA: program=%s: %s", name, look->part);
	}
	if ((upa || other) && look->kind != PROGRAM_FOREIGN) {
		put_in_front("LD_PRELOAD", !other ? upa : !upa ? other : joined("%s:%s", upa, other));
		if (!getenv("ASAN_OPTIONS") || !strstr(getenv("ASAN_OPTIONS"), ASAN_ORDER))
			put_in_front("ASAN_OPTIONS", ASAN_ORDER);
	}
}

static void check_policy(const struct options *options)
{
	if (!options->policy && (options->memory || options->store))
		say_and_exit(STATUS_USAGE, "options --memory and --store need --policy");
	if (!options->policy)
		return;
	if (!options->memory)
		say_and_exit(STATUS_USAGE, "option --policy needs --memory SIZE");
	if (options->no_upa || options->strict || (options->backend && strcmp(options->backend, "linear")))
		say_and_exit(STATUS_USAGE, "option --policy excludes --no-upa, --strict and --backend");
	if (!options->root)
		say_and_exit(STATUS_USAGE, "option --policy needs ./upa: the pager is Java, and is not installed");
}

int main(int argc, char **argv)
{
	struct options options = { .malloc = "libc" };
	char **command, *path;
	struct program_look look;

	/* `./upa` asks. */
	if (argc == 3 && !strcmp(argv[1], "--is-java-fresh"))
		return !fresh_java(argv[2]);
	ignore_signals();
	command = read_options(argv + (argc > 0), &options);
	if (options.help) {
		if (options.source && !fresh(options.source))
			build(options.source, argv + 3);
		print_usage();
	}
	if (!*command)
		say_and_exit(STATUS_USAGE, "run needs a program: ./upa run -- PROGRAM [ARGUMENT...]");
	if (options.no_upa && (options.trace || options.strict || options.stats || options.backend))
		say_and_exit(STATUS_USAGE,
			     "option --no-upa excludes --trace, --stats, --strict and --backend, which are UPA's");
	check_policy(&options);
	path = program_find(*command);
	if (options.source &&
	    (!fresh(options.source) || (!strcmp(options.malloc, "dl") && !libraries_has("libupa_malloc.so"))))
		build(options.source, argv + 3);
	if (options.source)
		take_back_privileged();
	look = program_look(path);
	prepare(&options, path, &look, argv);
	take_signals_again();
	execv(path, command);
	if (errno == ENOEXEC && !is_binary(path)) {
		run_as_script(path, command);
		errno = ENOEXEC;
	}
	/* That it is there is known. */
	if (errno == ENOENT)
		say_and_exit(
			STATUS_NOT_FOUND,
			"cannot execute program=%s: what its first line, or as a binary its header, names to run it "
			"is not there",
			*command);
	say_and_exit(STATUS_NOT_EXECUTABLE, "cannot execute program=%s: %s", *command, strerror(errno));
}
