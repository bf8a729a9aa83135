/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks.c - upa-stacks: in which functions a process that is paged waits for pages.
 *
 *   upa-stacks PID SECONDS
 *
 * Prints a line for each stack, those with most faults first, as Brendan Gregg's stackcollapse does: names of functions
 * with semicolons between them, the outermost first, a space, and for how many faults the stack stands. The innermost
 * has its source file and line, if there is debug information. Counted are faults of user code at addresses that the
 * pager serves; the kernel samples some tens a second, and says how many each stands for.
 *
 * Code that no file has is [jit], unless /tmp/perf-PID.map names it. A stack deeper than 16 KiB ends early, as does one
 * through code without unwind information.
 *
 * Unwinding and names are libdw's (elfutils).
 */
#define _GNU_SOURCE
#include "samples.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EACH_SECOND 49u /* not in step with what programs do ten times a second */
#define PAUSE_NANOS 20000000
#define MOST_SECONDS 3600
#define MOST_RANGES 256
#define MOST_FRAMES 64
#define NAME_BYTES 256

struct stack {
	char *text;
	uint64_t faults;
};

struct range {
	uint64_t begin, end;
};

/* What code of a file is called: to find it, libdw goes through all symbols of the file. */
struct name {
	uint64_t pc;
	bool innermost;
	char text[NAME_BYTES];
};

struct process {
	pid_t pid;
	Dwfl *dwfl;
	struct range paged[MOST_RANGES];
	unsigned ranges;
	time_t asked;                /* for these */
	time_t reported;             /* when its mappings were read */
	const struct sample *sample; /* whose stack is being unwound */
	char frames[MOST_FRAMES][NAME_BYTES];
	unsigned count;
	void *stacks; /* of tsearch() */
	void *names;  /* the same; of the mappings that were read last */
	struct stack **list;
	size_t listed, room;
};

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "upa-stacks: no memory\n");
		exit(1);
	}
	return memory;
}

/* What the kernel has registered with a userfaultfd. */
static void find_paged(struct process *p)
{
	char path[40], line[512];
	struct range at = { 0, 0 };
	FILE *maps;

	p->asked = time(NULL);
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)p->pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long begin, end;

		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			at = (struct range){ begin, end };
		if (!strncmp(line, "VmFlags:", 8) && strstr(line, " um") && p->ranges < MOST_RANGES) {
			if (p->ranges && p->paged[p->ranges - 1].end == at.begin)
				p->paged[p->ranges - 1].end = at.end;
			else
				p->paged[p->ranges++] = at;
		}
	}
	if (maps)
		fclose(maps);
}

static bool is_paged(const struct process *p, uint64_t address)
{
	for (unsigned i = 0; i < p->ranges; i++)
		if (address >= p->paged[i].begin && address < p->paged[i].end)
			return true;
	return false;
}

/* ---- unwinding ---------------------------------------------------------------------------------- */

static pid_t next_thread(Dwfl *dwfl, void *context, void **thread)
{
	struct process *p = context;

	(void)dwfl;
	if (*thread)
		return 0;
	*thread = p;
	return p->pid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *context, void **thread)
{
	(void)dwfl;
	(void)tid;
	*thread = context;
	return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *context)
{
	const struct sample *s = ((struct process *)context)->sample;
	uint64_t at = address - s->registers[STACK_REGISTER];

	(void)dwfl;
	/* Nothing but the copy: the process itself may have the page evicted. */
	if (address < s->registers[STACK_REGISTER] || s->stack_bytes < sizeof(*result) ||
	    at > s->stack_bytes - sizeof(*result))
		return false;
	memcpy(result, s->stack + at, sizeof(*result));
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *context)
{
	const struct sample *s = ((struct process *)context)->sample;
	Dwarf_Word words[REGISTERS];

	for (unsigned r = 0; r < REGISTERS; r++)
		words[r] = s->registers[r];
	if (REGISTERS == 17)
		return dwfl_thread_state_registers(thread, 0, REGISTERS, words);
	dwfl_thread_state_register_pc(thread, words[PC_REGISTER]);
	return dwfl_thread_state_registers(thread, 0, PC_REGISTER, words);
}

static const Dwfl_Thread_Callbacks callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = read_memory,
	.set_initial_registers = set_registers,
};

/* ---- names -------------------------------------------------------------------------------------- */

/* What a compiler at run time says of its code: begin, size and name, in hexadecimal. */
static bool name_of_map(const struct process *p, uint64_t pc, char *name)
{
	char path[40], line[512];
	bool found = false;
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)p->pid);
	map = fopen(path, "re");
	while (map && !found && fgets(line, sizeof(line), map)) {
		unsigned long begin, size;
		int at = 0;

		if (sscanf(line, "%lx %lx %n", &begin, &size, &at) == 2 && at > 0 && pc - begin < size) {
			line[strcspn(line, "\n")] = 0;
			snprintf(name, NAME_BYTES, "%.200s", line + at);
			found = true;
		}
	}
	if (map)
		fclose(map);
	return found;
}

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void add_line(Dwfl_Module *module, uint64_t pc, char *name)
{
	Dwfl_Line *line = dwfl_module_getsrc(module, pc);
	const char *file = line ? dwfl_lineinfo(line, NULL, &(int){ 0 }, NULL, NULL, NULL) : NULL;
	int number = 0;
	size_t length = strlen(name);

	if (file && dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL))
		snprintf(name + length, NAME_BYTES - length, " (%s:%d)", file_name(file), number);
}

static void name_in_module(Dwfl_Module *module, uint64_t pc, bool innermost, char *name)
{
	const char *file = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	const char *function = dwfl_module_addrname(module, pc);

	if (function)
		snprintf(name, NAME_BYTES, "%.180s", function);
	else
		snprintf(name, NAME_BYTES, "[%.180s]", file ? file_name(file) : "unknown");
	if (innermost)
		add_line(module, pc, name);
}

/* Frames and lines are separated by these. */
static void make_one_word(char *name)
{
	for (char *c = name; *c; c++)
		if (*c == ';' || *c == '\n')
			*c = ':';
}

static int by_code(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->pc != y->pc ? (x->pc < y->pc ? -1 : 1) : (int)x->innermost - (int)y->innermost;
}

static void name_frame(struct process *p, uint64_t pc, bool innermost, char *name)
{
	struct name key = { .pc = pc, .innermost = innermost }, **found = must(tsearch(&key, &p->names, by_code));
	Dwfl_Module *module;

	if (*found != &key) {
		strcpy(name, (*found)->text);
		return;
	}
	module = dwfl_addrmodule(p->dwfl, pc);
	if (module)
		name_in_module(module, pc, innermost, name);
	else if (!name_of_map(p, pc, name))
		strcpy(name, "[jit]");
	make_one_word(name);
	if (!module) {
		/* There may be a name for it later. */
		tdelete(&key, &p->names, by_code);
		return;
	}
	*found = must(malloc(sizeof(**found)));
	**found = key;
	strcpy((*found)->text, name);
}

static int add_frame(Dwfl_Frame *frame, void *context)
{
	struct process *p = context;
	bool is_exact = false;
	Dwarf_Addr pc;

	if (p->count == MOST_FRAMES || !dwfl_frame_pc(frame, &pc, &is_exact))
		return DWARF_CB_ABORT;
	/* Behind a call: its line is that of the byte before. */
	name_frame(p, is_exact || p->count == 0 ? pc : pc - 1, p->count == 0, p->frames[p->count]);
	p->count++;
	return DWARF_CB_OK;
}

/* ---- counting ----------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct stack *)a)->text, ((const struct stack *)b)->text);
}

static int by_faults(const void *a, const void *b)
{
	const struct stack *x = *(struct stack *const *)a, *y = *(struct stack *const *)b;

	return x->faults == y->faults ? strcmp(x->text, y->text) : x->faults < y->faults ? 1 : -1;
}

static void count(struct process *p, uint64_t faults)
{
	char text[MOST_FRAMES * (NAME_BYTES + 1)];
	struct stack key = { .text = text }, **found;
	char *end = text;

	for (unsigned i = p->count; i-- > 0;) {
		end = stpcpy(end, p->frames[i]);
		end = stpcpy(end, i ? ";" : "");
	}
	found = must(tsearch(&key, &p->stacks, by_text));
	if (*found == &key) {
		*found = must(malloc(sizeof(**found)));
		**found = (struct stack){ .text = must(strdup(text)) };
		if (p->listed == p->room) {
			p->room = p->room ? 2 * p->room : 64;
			p->list = must(realloc(p->list, p->room * sizeof(struct stack *)));
		}
		p->list[p->listed++] = *found;
	}
	(*found)->faults += faults;
}

static bool report_modules(struct process *p)
{
	p->reported = time(NULL);
	tdestroy(p->names, free);
	p->names = NULL;
	dwfl_report_begin(p->dwfl);
	return dwfl_linux_proc_report(p->dwfl, p->pid) == 0 && dwfl_report_end(p->dwfl, NULL, NULL) == 0;
}

static void taken(void *context, const struct sample *sample)
{
	struct process *p = context;

	if (!is_paged(p, sample->address))
		return;
	/* Perhaps of a library loaded since. */
	if (!dwfl_addrmodule(p->dwfl, sample->registers[PC_REGISTER]) && time(NULL) > p->reported)
		report_modules(p);
	p->sample = sample;
	p->count = 0;
	dwfl_getthread_frames(p->dwfl, p->pid, add_frame, p);
	if (p->count == 0)
		name_frame(p, sample->registers[PC_REGISTER], true, p->frames[p->count++]);
	count(p, sample->weight);
}

static long number(const char *text, long most, const char *what)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 1 || n > most) {
		fprintf(stderr, "upa-stacks: %s=%s: needs a number from 1 to %ld\n", what, text, most);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static struct process p;
	static const Dwfl_Callbacks files = { .find_elf = dwfl_linux_proc_find_elf,
					      .find_debuginfo = dwfl_standard_find_debuginfo };
	struct timespec now, end;
	struct samples *samples;

	if (argc != 3) {
		fprintf(stderr, "usage: upa-stacks PID SECONDS\n");
		return 2;
	}
	p.pid = (pid_t)number(argv[1], 1 << 22, "pid");
	/* Debug information comes from this machine alone. */
	unsetenv("DEBUGINFOD_URLS");
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += number(argv[2], MOST_SECONDS, "seconds");
	samples = samples_begin(p.pid, EACH_SECOND);
	if (!samples) {
		fprintf(stderr, "upa-stacks: pid=%d: faults cannot be sampled: %s%s\n", (int)p.pid, strerror(errno),
			errno == EACCES || errno == EPERM ? " (kernel.perf_event_paranoid, or another user's)" : "");
		return 1;
	}
	p.dwfl = dwfl_begin(&files);
	if (!p.dwfl || !report_modules(&p) || !dwfl_attach_state(p.dwfl, NULL, p.pid, &callbacks, &p)) {
		fprintf(stderr, "upa-stacks: pid=%d: %s\n", (int)p.pid, dwfl_errmsg(-1));
		return 1;
	}
	do {
		/* Paging may begin while this runs. To ask costs the process some time. */
		if (p.ranges == 0 && time(NULL) > p.asked)
			find_paged(&p);
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NANOS }, NULL);
		samples_take(samples, taken, &p);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec)) &&
		 kill(p.pid, 0) == 0);
	if (samples_lost(samples))
		fprintf(stderr, "upa-stacks: samples lost: %llu\n", (unsigned long long)samples_lost(samples));
	samples_end(samples);
	qsort(p.list, p.listed, sizeof(struct stack *), by_faults);
	for (size_t i = 0; i < p.listed; i++)
		printf("%s %llu\n", p.list[i]->text, (unsigned long long)p.list[i]->faults);
	dwfl_end(p.dwfl);
	return 0;
}
