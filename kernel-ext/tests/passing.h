/* SPDX-License-Identifier: GPL-2.0 */
/* passing.h - descriptors that processes pass to one another, by a socket. */
#ifndef UPA_TESTS_PASSING_H
#define UPA_TESTS_PASSING_H

#include <string.h>
#include <sys/socket.h>

/* With a byte: 1, or -1 and errno. */
static inline ssize_t pass_fd(int socket, int fd, int flags)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return sendmsg(socket, &m, flags);
}

/* The descriptor, or -1 if none has come. */
static inline int take_fd(int socket, int flags)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(socket, &m, flags) != 1 || !CMSG_FIRSTHDR(&m))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

#endif
