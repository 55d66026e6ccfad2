# SPDX-License-Identifier: Apache-2.0
# Debian's AWS CLI, which takes most of a second of CPU to be imported, imported once: a process is forked for each call and runs
# /usr/bin/aws with the arguments, environment, directory and open files of its caller (aws_client.c).
#   aws_server.py SOCKET
import gc
import os
import runpy
import signal
import socket
import sys

import awscli.clidriver
import awscli.handlers  # what each call would import
import distro

PROGRAM = "/usr/bin/aws"


def receive(connection):
    """The caller's stdin, stdout and stderr, and its strings: directory, number of arguments, arguments, environment."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as stream:
        return files, [os.fsdecode(text) for text in stream.read()[:-1].split(b"\0")]


def answer(connection):
    files, (directory, count, *texts) = receive(connection)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(directory)
    data_path = os.environ["AWS_DATA_PATH"]  # as awscli set it when it was imported
    os.environ.clear()
    os.environ.update(text.split("=", 1) for text in texts[int(count):])
    os.environ["AWS_DATA_PATH"] = data_path
    sys.argv = [PROGRAM, *texts[:int(count)]]
    try:
        runpy.run_path(PROGRAM, run_name="__main__")
    except SystemExit as end:
        return end.code or 0
    return 0


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    distro.major_version()  # which it remembers: it asks a program
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1] + ".new")
    listener.listen(16)
    os.rename(sys.argv[1] + ".new", sys.argv[1])  # there when it answers
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            code = answer(connection)
            sys.stdout.flush()
            sys.stderr.flush()
            connection.send(bytes([code]))
            os._exit(code)
        connection.close()


main()
