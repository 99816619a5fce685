# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""What is measured, against whom, and what is wanted. Work is fixed: a case is so many messages, not so many seconds."""

PLAIN = ['haproxy', 'nginx', 'floor', 'wsbridge', 'node', 'websockify']
DOWN = ['haproxy', 'haproxy-splice', 'nginx', 'floor', 'floor-splice', 'wsbridge', 'node', 'websockify']
TLS = ['haproxy-tls', 'nginx-tls', 'stunnel', 'wsbridge-tls']


class Case:
    def __init__(self, name, what, size, total, sessions, peers, title, *, goals=(), rate_of=None, idle=False, resume=False,
                 quick=True):
        self.name, self.what, self.size, self.total, self.sessions = name, what, size, total, sessions
        self.peers, self.title, self.goals = peers, title, goals
        self.rate_of = rate_of          # echo at half of what this peer does flat out
        self.idle = idle                # memory is the figure
        self.resume = resume
        self.quick = quick
        # How many times the rounds that are asked for, each with as much less work: for a latency most rounds have to be
        # shorter than the time between two pauses of a virtual machine.
        self.rounds = 4 if rate_of else 1
        self.metric = 'p99_us' if rate_of else 'kib' if idle else 'cpu_ns'

    def kind(self):
        """The name without its count of sessions: what a peer's slowness is looked up by."""
        return self.what if self.what in ('echo', 'connect') else self.name


CASES = [
    # goals: (reference, at most so many times its figure)
    Case('up-64', 'up', 64, 64_000_000, 4, PLAIN, 'up, 64 B', goals=[('haproxy', 1.3)]),
    Case('up-1k', 'up', 1024, 3_000_000, 4, PLAIN, 'up, 1 KiB', goals=[('haproxy', 1.0)]),
    Case('up-16k', 'up', 16384, 200_000, 4, PLAIN, 'up, 16 KiB', goals=[('haproxy', 1.0)]),
    Case('up-256k', 'up', 262144, 12_000, 4, PLAIN, 'up, 256 KiB', goals=[('haproxy', 1.0)], quick=False),
    Case('down-64', 'down', 64, 400_000, 4, PLAIN, 'down, 64 B', quick=False),
    Case('down-1k', 'down', 1024, 400_000, 4, PLAIN, 'down, 1 KiB', quick=False),
    Case('down-16k', 'down', 16384, 200_000, 4, DOWN, 'down, 16 KiB', goals=[('haproxy-splice', 1.3)]),
    Case('down-256k', 'down', 262144, 12_000, 4, DOWN, 'down, 256 KiB', goals=[('haproxy-splice', 1.3)], quick=False),
    Case('both-16k', 'both', 16384, 100_000, 4, PLAIN, 'both ways at once, 16 KiB', quick=False),
    Case('echo-64-1', 'echo', 64, 60_000, 1, PLAIN, 'echo 64 B, 1 session'),
    Case('echo-64-50', 'echo', 64, 200_000, 50, PLAIN, 'echo 64 B, 50 sessions', goals=[('haproxy', 0.8), ('nginx', 1.0)]),
    Case('echo-64-500', 'echo', 64, 200_000, 500, PLAIN, 'echo 64 B, 500 sessions', goals=[('haproxy', 0.65)]),
    Case('echo-64-5000', 'echo', 64, 400_000, 5000, PLAIN, 'echo 64 B, 5,000 sessions'),
    Case('echo-1k-1', 'echo', 1024, 60_000, 1, PLAIN, 'echo 1 KiB, 1 session', quick=False),
    Case('echo-1k-50', 'echo', 1024, 200_000, 50, PLAIN, 'echo 1 KiB, 50 sessions', quick=False),
    Case('echo-1k-500', 'echo', 1024, 200_000, 500, PLAIN, 'echo 1 KiB, 500 sessions', quick=False),
    Case('echo-1k-5000', 'echo', 1024, 400_000, 5000, PLAIN, 'echo 1 KiB, 5,000 sessions', quick=False),
    Case('half-64-50', 'echo', 64, 160_000, 50, PLAIN, 'echo p99 under half load', goals=[('nginx', 1.2)], rate_of='nginx'),
    Case('connect', 'connect', 64, 10_000, 16, PLAIN, 'connect, echo, close', goals=[('haproxy', 1.1)]),
    Case('idle-1000', 'echo', 64, 1000, 1000, PLAIN, 'idle memory, 1,000 sessions', idle=True),
    Case('idle-5000', 'echo', 64, 5000, 5000, PLAIN, 'idle memory, 5,000 sessions', idle=True, quick=False),
    Case('idle-9500', 'echo', 64, 9500, 9500, PLAIN, 'idle memory, 9,500 sessions', idle=True, quick=False),
    Case('tls-up-16k', 'up', 16384, 100_000, 4, TLS, 'TLS up, 16 KiB', goals=[('haproxy-tls', 1.05)]),
    Case('tls-down-16k', 'down', 16384, 100_000, 4, TLS, 'TLS down, 16 KiB', goals=[('haproxy-tls', 1.05)]),
    Case('tls-echo-64-50', 'echo', 64, 100_000, 50, TLS, 'TLS echo 64 B, 50 sessions', goals=[('haproxy-tls', 1.05)]),
    Case('tls-full', 'connect', 64, 2_000, 16, TLS, 'TLS full handshake, echo, close', goals=[('haproxy-tls', 1.05)]),
    Case('tls-resumed', 'connect', 64, 2_000, 16, TLS, 'TLS resumed handshake, echo, close', resume=True, goals=[('haproxy-tls', 1.05)]),
    Case('tls-idle-1000', 'echo', 64, 1000, 1000, TLS, 'TLS idle memory, 1,000 sessions', idle=True, quick=False),
]

# KiB of the program's memory for an idle session.
IDLE_LIMIT_KIB = {'idle-1000': 0.8, 'idle-5000': 0.8, 'idle-9500': 0.8, 'tls-idle-1000': 16.5}
# CPU per message from 50 to 5,000 sessions grows no more than this peer's own.
GROWTH = ('echo-64-50', 'echo-64-5000', 'nginx')

# Counts, which no other load on the machine can change: (case, load generator's options, messages, ceilings per message).
# calls: system calls; allocs: malloc, calloc and realloc together.
SMOKE = [
    ('echo of 64 B', ['--case', 'echo', '--size', '64', '--sessions', '1'], 2000, {'calls': 6.3, 'allocs': 0.02}),  # the waits, and one in eight of libev's
    ('16 KiB up', ['--case', 'up', '--size', '16384', '--sessions', '1', '--window', '1'], 1000,
     {'calls': 3.3, 'allocs': 0.02}),
    ('16 KiB down', ['--case', 'down', '--size', '16384', '--sessions', '1', '--window', '1'], 1000,
     {'calls': 4.3, 'allocs': 0.02}),  # splice in, header, splice out, and the wait
    ('64 B up, in bulk', ['--case', 'up', '--size', '64', '--sessions', '1'], 500_000, {'calls': 0.02, 'allocs': 0.001}),
    ('connect, echo, close', ['--case', 'connect', '--size', '64', '--sessions', '4'], 300, {'calls': 25.5, 'allocs': 8.5}),
]
# User-space instructions by callgrind: (name in the JSON, options, messages of the short run, of the long run).
INSTRUCTIONS = [
    ('echo_64', ['--case', 'echo', '--size', '64', '--sessions', '1'], 500, 2500),
    ('up_16k', ['--case', 'up', '--size', '16384', '--sessions', '1', '--window', '1'], 200, 1000),
    ('down_16k', ['--case', 'down', '--size', '16384', '--sessions', '1', '--window', '1'], 200, 1000),
    ('connect', ['--case', 'connect', '--size', '64', '--sessions', '1'], 100, 400),
]
