"""Child processes that never outlive the test, free ports, and waiting on conditions."""

import atexit
import ctypes
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running = []


def die_with_parent():
    """For preexec_fn: the kernel kills the child when the thread that started it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def free_ports(count, host="127.0.0.1"):
    """Ports free for TCP and UDP at this moment, all different."""
    ports = []
    held = []
    try:
        while len(ports) < count:
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            held.append(tcp)
            tcp.bind((host, 0))
            port = tcp.getsockname()[1]
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            held.append(udp)
            try:
                udp.bind((host, port))
            except OSError:
                continue
            ports.append(port)
    finally:
        for each in held:
            each.close()
    return ports


def wait_until(condition, deadline_s, what):
    """Polls `condition` until it gives something true, and returns that."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s} s")
        time.sleep(0.01)


def kill_group(process):
    """Kills the process and all it started in its group, and reaps it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    if process in _running:
        _running.remove(process)


@atexit.register
def _kill_all():
    for process in list(_running):
        kill_group(process)


def start(arguments, log, env=None, cwd=None):
    """Starts a program in a group of its own, with both outputs in the file `log`."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [str(each) for each in arguments], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True,
            preexec_fn=die_with_parent)
    _running.append(process)
    return process


def track(process):
    """Kills a process started elsewhere (with start_new_session) at the end of the test run."""
    _running.append(process)
    return process


class Server:
    """A server process: started, waited for, stopped, with its log at hand."""

    name = "server"

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{self.name}.log"
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def launch(self, arguments, answers, deadline_s=20, env=None):
        """Starts it and returns once `answers()` is true."""
        self.process = start(arguments, self.log, env=env, cwd=self.folder)

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n"
                                   f"{self.log_end()}")
            return answers()
        try:
            wait_until(ready, deadline_s, f"{self.name} answers")
        except BaseException:
            self.stop()
            raise

    def log_end(self, lines=30):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self):
        if self.process is not None:
            kill_group(self.process)
            self.process = None
