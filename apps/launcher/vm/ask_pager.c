/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a pager, as ./upa policy does: without a virtual machine for Java, which takes long to start in an emulated one.
 *
 * Usage: ask_pager SOCKET COMMAND     exit status: what the pager says, or 2
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	static char part[1 << 16];
	int status = -1;
	ssize_t n;

	if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, argv[2], strlen(argv[2]), 0) < 0) {
		perror(argv[1]);
		return 2;
	}
	/* It begins with the status and a line break, and comes in parts. */
	while ((n = recv(fd, part, sizeof(part), 0)) > 0) {
		size_t head = status < 0 ? 2 : 0;

		if (status < 0)
			status = part[0] - '0';
		if ((size_t)n > head)
			fwrite(part + head, 1, (size_t)n - head, stdout);
	}
	close(fd);
	return status < 0 ? 2 : status;
}
