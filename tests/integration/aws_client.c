/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the AWS CLI of aws_server.py: aws SOCKET ARGUMENT... does and ends as /usr/bin/aws
 * ARGUMENT... would. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

static void give_up(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        give_up(path);
    return fd;
}

/* A byte, and with it standard input, output and error. */
static void send_files(int fd)
{
    static const int files[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof files)] = {0};
    char byte = 0;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof files)};
    memcpy(CMSG_DATA(head), files, sizeof files);
    if (sendmsg(fd, &message, 0) != 1)
        give_up("sendmsg");
}

/* Each with its NUL: directory, number of arguments, arguments, environment. */
static void send_strings(int fd, int count, char **arguments)
{
    char *directory = getcwd(NULL, 0);
    FILE *out = fdopen(dup(fd), "w");
    if (!directory || !out)
        give_up("what the call consists of");
    (void)fprintf(out, "%s%c%d%c", directory, 0, count, 0);
    for (char **argument = arguments; *argument; argument++)
        (void)fprintf(out, "%s%c", *argument, 0);
    for (char **variable = environ; *variable; variable++)
        (void)fprintf(out, "%s%c", *variable, 0);
    if (fclose(out) != 0 || shutdown(fd, SHUT_WR) != 0)
        give_up("write");
    free(directory);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: aws SOCKET ARGUMENT...\n");
        return EXIT_FAILURE;
    }
    int fd = dial(argv[1]);
    unsigned char code = 0;
    send_files(fd);
    send_strings(fd, argc - 2, argv + 2);
    if (read(fd, &code, 1) != 1)
        give_up("the AWS CLI ended without an exit code");
    return code;
}
