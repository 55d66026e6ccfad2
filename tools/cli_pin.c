/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "tools/cli.h"

#define PIN_MAX 512U

/* The signal that ended a prompt. */
static volatile sig_atomic_t interrupted;

/* The first line, without its end. */
static enum rc read_line(int fd, const char *name, struct secret *out)
{
    AUTO_SECRET line = SECRET_INIT;
    TRY(secret_alloc(&line, PIN_MAX + 1));
    size_t len = 0;
    for (;;) {
        ssize_t got = read(fd, line.ptr + len, 1);
        if (got < 0 && errno == EINTR && interrupted == 0)
            continue;
        if (got < 0)
            return rc_fail(RC_IO, "%s: %s", name, strerror(errno));
        if (got == 0 || line.ptr[len] == '\n')
            break;
        if (++len > PIN_MAX)
            return rc_fail(RC_PIN_LEN, "%s: longer than %u bytes", name, PIN_MAX);
    }
    if (len > 0 && line.ptr[len - 1] == '\r')
        len--;
    if (len == 0)
        return rc_fail(RC_PIN_LEN, "%s: no PIN in it", name);
    return secret_from_bytes(out, bytes_of(line.ptr, len));
}

static enum rc read_file(const char *path, struct secret *out)
{
    if (strcmp(path, "-") == 0)
        return read_line(STDIN_FILENO, "standard input", out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    enum rc rc = read_line(fd, path, out);
    (void)close(fd);
    return rc;
}

static enum rc read_credential(const char *name, struct secret *out)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (dir == NULL || strchr(name, '/') != NULL)
        return rc_fail(
            RC_IO, "credential %s: CREDENTIALS_DIRECTORY is not set (LoadCredential= of the unit)",
            name);
    AUTO_BUF path = BUF_INIT;
    TRY(buf_printf(&path, "%s/%s", dir, name));
    return read_file(buf_str(&path), out);
}

static void on_signal(int number)
{
    interrupted = number;
}

/* The signals that would leave the terminal without echo. */
static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define CAUGHT_COUNT (sizeof caught / sizeof caught[0])

static enum rc read_quietly(int tty, struct secret *out)
{
    struct termios before, quiet;
    struct sigaction old[CAUGHT_COUNT];
    const struct sigaction catch = {.sa_handler = on_signal}; /* no SA_RESTART: read() must end */
    if (tcgetattr(tty, &before) != 0)
        return read_line(tty, "terminal", out);
    for (size_t i = 0; i < CAUGHT_COUNT; i++)
        (void)sigaction(caught[i], &catch, &old[i]);
    quiet = before;
    quiet.c_lflag &= (tcflag_t)~ECHO;
    (void)tcsetattr(tty, TCSAFLUSH, &quiet);
    enum rc rc = read_line(tty, "terminal", out);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    for (size_t i = 0; i < CAUGHT_COUNT; i++)
        (void)sigaction(caught[i], &old[i], NULL);
    return rc;
}

static enum rc prompt(const char *what, struct secret *out)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty < 0)
        return rc_fail(RC_USAGE,
                       "%s: no terminal to ask on; give --pin-file, --pin-fd or --pin-credential",
                       what);
    enum rc rc;
    do {
        interrupted = 0;
        (void)dprintf(tty, "%s: ", what);
        rc = read_quietly(tty, out);
        (void)dprintf(tty, "\n");
        if (interrupted != 0)
            (void)raise(interrupted); /* ends us, or stops us until we go on and ask again */
    } while (interrupted == SIGTSTP);
    (void)close(tty);
    return rc;
}

enum rc cli_pin(const struct cli *cli, const char *what, struct secret *out)
{
    if (cli->pin_file != NULL)
        return read_file(cli->pin_file, out);
    if (cli->pin_fd >= 0)
        return read_line(cli->pin_fd, "descriptor of --pin-fd", out);
    if (cli->pin_credential != NULL)
        return read_credential(cli->pin_credential, out);
    return prompt(what, out);
}

enum rc cli_pin_new(const char *file, const char *what, struct secret *out)
{
    if (file != NULL)
        return read_file(file, out);
    AUTO_SECRET first = SECRET_INIT;
    AUTO_SECRET again = SECRET_INIT;
    AUTO_BUF question = BUF_INIT;
    TRY(prompt(what, &first));
    TRY(buf_printf(&question, "%s, again", what));
    TRY(prompt(buf_str(&question), &again));
    if (!secret_equal(&first, secret_expose(&again)))
        return rc_fail(RC_PIN_INVALID, "the two differ");
    *out = secret_take(&first);
    return RC_OK;
}
