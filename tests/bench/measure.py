# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""What a program cost: CPU time and memory of a process tree, from /proc alone.

CPU is the scheduler's own count in nanoseconds of every process of the tree (its CPU clock, which has its ended threads
too), and what children that have ended left in their parents (cutime, cstime). The kernel's work on the loopback device is done in the
context of whoever sends, so it is in these figures for every peer alike.
"""
import os
import signal
import subprocess
import time

TICK = 1_000_000_000 // os.sysconf('SC_CLK_TCK')


def pin(core):
    return lambda: os.sched_setaffinity(0, {core}) if core is not None else None


def read(path):
    try:
        with open(path, encoding='ascii', errors='replace') as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def tree(root):
    """All pids of the tree, root first."""
    children = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            stat = read('/proc/%s/stat' % name)
            if stat:
                children.setdefault(int(stat.rsplit(')', 1)[1].split()[1]), []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_ns(root):
    total = 0
    for pid in tree(root):
        try:
            # The CPU clock of another process (clock_getcpuclockid(3)): all its threads, ended ones too.
            total += time.clock_gettime_ns(~pid << 3 | 2)
        except OSError:
            continue
        stat = read('/proc/%d/stat' % pid)
        if stat:
            words = stat.rsplit(')', 1)[1].split()
            total += (int(words[13]) + int(words[14])) * TICK
    return total


def core_busy_ns(core):
    """Everything that ran on a core but idling: other programs and kernel threads too."""
    for line in read('/proc/stat').splitlines():
        words = line.split()
        if words[0] == 'cpu%d' % core:
            return (sum(map(int, words[1:9])) - int(words[4]) - int(words[5])) * TICK
    return 0


def pss_kib(root):
    total = 0
    for pid in tree(root):
        for line in read('/proc/%d/smaps_rollup' % pid).splitlines():
            if line.startswith('Pss:'):
                total += int(line.split()[1])
    return total


def machine_used_kib():
    """What the machine cannot give to anybody else: the kernel's sockets and slabs included."""
    info = {line.split(':')[0]: int(line.split()[1]) for line in read('/proc/meminfo').splitlines()}
    return info['MemTotal'] - info['MemAvailable']


class Program:
    """A program under test: started pinned, stopped with all its children."""

    def __init__(self, argv, core, env=None, log=None):
        self.log = open(log or os.devnull, 'w', encoding='utf-8')
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        preexec_fn=pin(core), env=env, start_new_session=True)
        self.pid = self.process.pid

    def alive(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGTERM, patience=5):
        for pid in reversed(tree(self.pid)):
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


def until(what, seconds, step=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(step)
    return False


def listening(port):
    want = ':%04X' % port
    for table in ('/proc/net/tcp', '/proc/net/tcp6'):
        for line in read(table).splitlines()[1:]:
            words = line.split()
            if words[3] == '0A' and words[1].endswith(want):
                return True
    return False
