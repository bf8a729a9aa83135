/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - see tree.h. */
#include "tree.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Computing time, in clock ticks of 10 ms, by which the dynamic linker has surely mapped what it was told to. */
#define LINKED_TICKS 5

size_t tree_descendants(pid_t parent, pid_t *pids, size_t limit)
{
	char name[96];
	size_t count = 0;
	DIR *tasks;

	snprintf(name, sizeof(name), "/proc/%d/task", (int)parent);
	tasks = opendir(name);
	if (!tasks)
		return 0;
	for (struct dirent *entry; (entry = readdir(tasks)) != NULL && count < limit;) {
		FILE *children;
		int pid;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "/proc/%d/task/%.16s/children", (int)parent, entry->d_name);
		children = fopen(name, "re");
		if (!children)
			continue;
		while (count < limit && fscanf(children, "%d", &pid) == 1) {
			pids[count++] = pid;
			count += tree_descendants(pid, pids + count, limit - count);
		}
		fclose(children);
	}
	closedir(tasks);
	return count;
}

/* Proportional set size: a page that n processes share counts 1/n in each, so that sums are true. */
static uint64_t proportional_bytes(pid_t pid)
{
	char name[64], line[256];
	unsigned long long kib = 0;
	FILE *rollup;

	snprintf(name, sizeof(name), "/proc/%d/smaps_rollup", (int)pid);
	rollup = fopen(name, "re");
	if (!rollup)
		return 0;
	while (fgets(line, sizeof(line), rollup))
		if (sscanf(line, "Pss: %llu kB", &kib) == 1)
			break;
	fclose(rollup);
	return kib * 1024u;
}

static uint64_t resident_bytes(pid_t pid)
{
	unsigned long long pages = 0;
	char name[64];
	FILE *statm;

	snprintf(name, sizeof(name), "/proc/%d/statm", (int)pid);
	statm = fopen(name, "re");
	if (!statm)
		return 0;
	if (fscanf(statm, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(statm);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What /proc/PID/stat says. All 0 of a process that has ended; the stack is 0 too of one that is not ours to read. */
struct status {
	unsigned long ticks; /* computed, in user and system mode */
	unsigned long stack; /* where it began: another one after an exec, also one of the same program */
};

static struct status status_of(pid_t pid)
{
	char name[64], line[1024], *after;
	unsigned long user = 0, system = 0;
	struct status status = { 0 };
	FILE *stat;

	snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
	stat = fopen(name, "re");
	if (!stat)
		return status;
	/* The second field is a name in parentheses that may hold anything. */
	if (fgets(line, sizeof(line), stat) && (after = strrchr(line, ')')) != NULL)
		sscanf(after + 1,
		       " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %*d %*u"
		       " %*u %*u %lu",
		       &user, &system, &status.stack);
	fclose(stat);
	status.ticks = user + system;
	return status;
}

static int all_mapped(const struct tree *tree, pid_t pid)
{
	char name[64], *line = NULL;
	int found[TREE_LIBRARIES] = { 0 };
	size_t size = 0, count = 0;
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	if (!maps)
		return 0;
	while (getline(&line, &size, maps) > 0) {
		const char *path = strchr(line, '/');

		for (size_t i = 0; path && i < tree->library_count; i++) {
			size_t length = strlen(tree->libraries[i]);

			if (!found[i] && !strncmp(path, tree->libraries[i], length) && path[length] == '\n') {
				found[i] = 1;
				count++;
			}
		}
	}
	free(line);
	fclose(maps);
	return count == tree->library_count;
}

static struct tree_process *known(struct tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->seen_count; i++)
		if (tree->seen[i].pid == pid)
			return &tree->seen[i];
	if (tree->seen_count == TREE_PROCESSES)
		return NULL;
	tree->seen[tree->seen_count] = (struct tree_process){ .pid = pid };
	return &tree->seen[tree->seen_count++];
}

static void check_libraries(struct tree *tree, pid_t pid)
{
	struct tree_process *process;
	struct status status;
	struct stat program;
	ssize_t length;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/exe", (int)pid);
	if (stat(name, &program))
		return; /* it has ended */
	process = known(tree, pid);
	if (!process)
		return;
	/* First the time, then the maps: the other order could see maps of before and the time of after. */
	status = status_of(pid);
	if (process->device != program.st_dev || process->inode != program.st_ino ||
	    (status.stack && process->stack != status.stack)) {
		*process = (struct tree_process){ .pid = pid,
						  .device = program.st_dev,
						  .inode = program.st_ino,
						  .stack = status.stack,
						  .ticks = status.ticks,
						  .lacking = process->lacking };
		length = readlink(name, process->program, sizeof(process->program) - 1);
		process->program[length < 0 ? 0 : length] = 0;
	}
	if (process->loaded || process->lacking)
		return;
	process->loaded = all_mapped(tree, pid);
	if (!process->loaded && status.ticks >= process->ticks + LINKED_TICKS && !all_mapped(tree, pid) &&
	    status_of(pid).stack == process->stack)
		process->lacking = 1;
}

size_t tree_sample(struct tree *tree)
{
	pid_t pids[TREE_PROCESSES];
	size_t count;

	pids[0] = tree->root;
	count = 1 + tree_descendants(tree->root, pids + 1, TREE_PROCESSES - 1);
	if (count > tree->most_processes)
		tree->most_processes = count;
	if (tree->library_count)
		for (size_t i = 0; i < count; i++)
			check_libraries(tree, pids[i]);
	/* Of a single process the kernel itself keeps the peak, and its size is cheaper to be had. */
	tree->bytes = 0;
	if (count == 1)
		tree->bytes = resident_bytes(pids[0]);
	else
		for (size_t i = 0; i < count; i++)
			tree->bytes += proportional_bytes(pids[i]);
	if (count > 1 && tree->bytes > tree->peak_bytes)
		tree->peak_bytes = tree->bytes;
	return count;
}
