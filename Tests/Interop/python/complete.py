# SPDX-License-Identifier: Apache-2.0
#
# Types command lines into an interactive shell, presses TAB, and prints what became of them.
#
#     complete.py bash|zsh COMPLETION LINE...
#
# How: behind the TAB come "go to the beginning of the line", `echo "<" ` and Enter. The shell reads keys in order, so what it
# echoes is the line as it was completed; nothing here waits for a time.

import os
import pty
import select
import sys
import time

DEADLINE = time.monotonic() + 120


def read_until(descriptor, wanted, buffer):
    while wanted not in buffer:
        if not select.select([descriptor], [], [], max(0, DEADLINE - time.monotonic()))[0]:
            sys.exit(f"no {wanted!r} in {buffer!r}")
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:
            sys.exit(f"the shell ended: {buffer!r}")
        buffer += chunk
    return buffer[buffer.index(wanted) + len(wanted):]


def main():
    shell, completion = sys.argv[1:3]
    process, descriptor = pty.fork()
    if process == 0:
        os.environ.update(TERM="dumb", COLUMNS="400", PS1="", PS2="")
        arguments = [shell, "--norc", "--noprofile", "-i"] if shell == "bash" else [shell, "-f", "-i"]
        os.execvp(shell, arguments)
    if shell == "bash":
        setup = f"bind 'set enable-bracketed-paste off'; PS1=; . '{completion}'"
    else:
        directory = os.path.dirname(completion)
        setup = (f"bindkey -e; PS1=; unsetopt prompt_sp zle_bracketed_paste; unset zle_bracketed_paste; setopt no_nomatch; "
                 f"fpath=('{directory}' $fpath); autoload -Uz compinit; compinit -u -D")
    # Quotes keep the word apart from the echo of what is typed.
    os.write(descriptor, f"{setup}; echo re''ady\n".encode())
    buffer = read_until(descriptor, b"ready\r\n", b"")
    for number, line in enumerate(sys.argv[3:]):
        os.write(descriptor, line.encode() + b"\t\x01" + f"echo '<{number}'\">\" ".encode() + b"\n")
        buffer = read_until(descriptor, f"<{number}> ".encode(), buffer)
        while b"\r\n" not in buffer:
            buffer += os.read(descriptor, 65536)
        result, _, buffer = buffer.partition(b"\r\n")
        print(result.decode())
    os.write(descriptor, b"exit\n")
    os.close(descriptor)
    os.waitpid(process, 0)


main()
