#!/usr/bin/python3
"""ask.py BETWEEN PROGRAM [ARGUMENT...]: runs a program on a terminal of its own, runs the shell text BETWEEN when it asks
for the first time, and answers every question with y. Prints what was on the terminal; exits as the program does."""
import os
import pty
import subprocess
import sys

QUESTION = b"(-y answers) "

between, command = sys.argv[1], sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
said = b""
asked = 0
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:  # the other end is closed
        piece = b""
    if not piece:
        break
    said += piece
    if said.count(QUESTION) > asked:
        if asked == 0:
            subprocess.run(["sh", "-c", between], check=True, stdin=subprocess.DEVNULL)
        asked += 1
        os.write(terminal, b"y\n")
sys.stdout.write(said.decode().replace("\r\n", "\n"))
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status)
