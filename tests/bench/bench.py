#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Runs the benchmark: wsbridge and its peers in turn (A B B A) on one core, the load generator on the other.

    bench.py [--build DIR] [--only CASE,...] [--peers PEER,...] [--runs N] full|quick|floor|smoke|instructions

README.md beside this file tells what the figures mean.
"""
import argparse
import json
import mmap
import os
import platform
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import time

import measure
from cases import CASES, GROWTH, IDLE_LIMIT_KIB, INSTRUCTIONS, SMOKE
from peers import BASE, PEERS, Paths

SLOW_ROUNDS = 4                     # enough for peers whose figures are several times the others'
PROXY_CORE, LOAD_CORE = 0, 1
if (os.cpu_count() or 1) < 2:
    PROXY_CORE = LOAD_CORE = 0


class Failed(Exception):
    pass


class Load:
    """One run of wsload, in its three steps: ready(), work(), close()."""

    def __init__(self, paths, peer, options):
        argv = [paths.wsload, '--port', str(peer.port(paths)), '--backend', str(paths.backend)] + options
        argv += (['--ws'] if peer.ws else []) + (['--tls'] if peer.tls else [])
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, preexec_fn=measure.pin(LOAD_CORE))
        self.expect('LISTEN')

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            raise Failed(self.process.stderr.read().strip() or 'wsload ended with %s' % self.process.wait())
        return text.strip()

    def expect(self, word):
        got = self.line()
        if got != word:
            raise Failed('wsload said %r' % got)

    def go(self):
        self.process.stdin.write('\n')
        self.process.stdin.flush()

    def ready(self):
        self.go()
        self.expect('READY')

    def work(self):
        self.go()
        result = self.line()
        return json.loads(result if result.endswith('}') else result + self.line())

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def start(paths, peer, core=PROXY_CORE, wrap=(), env=None):
    port = peer.port(paths)
    if measure.listening(port):
        raise Failed('port %d is taken' % port)
    log = os.path.join(paths.run, peer.name + '.log')
    program = measure.Program(list(wrap) + peer.start(paths, port), core, env, log)
    if not measure.until(lambda: measure.listening(port) or not program.alive(), 20) or not program.alive():
        program.stop()
        with open(log, encoding='utf-8', errors='replace') as f:
            raise Failed('%s does not start: %s' % (peer.name, f.read()[-400:].strip()))
    time.sleep(0.1)
    return program


def run_once(paths, peer, program, options):
    """One piece of work: wsload's result, with what the program spent on it."""
    load = Load(paths, peer, options)
    try:
        load.ready()
        time.sleep(0.02)
        busy, cpu = measure.core_busy_ns(PROXY_CORE), measure.cpu_ns(program.pid)
        result = load.work()
        result['cpu_ns'] = measure.cpu_ns(program.pid) - cpu
        result['busy_ns'] = measure.core_busy_ns(PROXY_CORE) - busy
        return result
    finally:
        load.close()


def options_of(case, peer, share=1.0, rate=None):
    total = max(int(case.total * share / peer.slow.get(case.kind(), 1)), min(case.sessions, peer.most))
    argv = ['--case', case.what, '--size', str(case.size), '--total', str(total),
            '--sessions', str(min(case.sessions, peer.most))]
    if rate:
        argv += ['--rate', '%.1f' % rate]
    if case.resume:
        argv += ['--resume']
    return argv


# --- the kinds of cases -----------------------------------------------------------------------------------------------

def measure_idle(paths, case, peer):
    """A fresh program, then so many sessions that have each echoed one message."""
    program = start(paths, peer)
    n = min(case.sessions, peer.most)
    try:
        warm = Load(paths, peer, ['--case', 'echo', '--size', '64', '--total', '20', '--sessions', '20'])
        warm.ready()
        warm.work()
        warm.close()
        # The load generator is there before and after: libraries that both map count half in each.
        load = Load(paths, peer, ['--case', 'echo', '--size', '64', '--total', str(n), '--sessions', str(n),
                                  '--stall', '60'])
        try:
            time.sleep(0.5)
            machine, before = measure.machine_used_kib(), measure.pss_kib(program.pid)
            load.ready()
            load.work()
            time.sleep(1.5)
            after = measure.pss_kib(program.pid)
            used = measure.machine_used_kib() - machine
            return {'kib': (after - before) / n, 'machine_kib': used / n, 'base_kib': before, 'sessions': n}
        finally:
            load.close()
    finally:
        program.stop()


def measure_idle_case(paths, case, peers, rounds):
    results = {p.name: [] for p in peers}
    for i in range(max(1, rounds // 6)):
        for peer in peers:
            try:
                results[peer.name].append(dict(measure_idle(paths, case, peer), round=i))
            except Failed as e:
                print('    %s: %s' % (peer.name, e))
    return results


def half_rate(paths, case, programs):
    peer = PEERS[case.rate_of]
    if peer.name not in programs:
        raise Failed('half load is half of what %s does, and it is not here' % case.rate_of)
    rates = []
    for _ in range(3):
        result = run_once(paths, peer, programs[peer.name], options_of(case, peer))
        rates.append(result['messages'] / result['seconds'])
    return statistics.median(rates) / 2


def able(case, peer, rate):
    """Peers that cannot carry a fixed rate would only show their queue."""
    return not (rate and peer.slow)


def measure_case(paths, case, peers, rounds):
    if case.idle:
        return measure_idle_case(paths, case, peers, rounds), {}
    rounds, share = max(1, int(rounds * case.rounds)), 1 / case.rounds / 8
    programs, results, extra = {}, {}, {}
    try:
        for peer in peers:
            try:
                programs[peer.name] = start(paths, peer)
            except Failed as e:
                print('    %s' % e)
        rate = half_rate(paths, case, programs) if case.rate_of else None
        if rate:
            extra['rate'] = rate
        running = [p for p in peers if p.name in programs and able(case, p, rate)]
        for peer in list(running):
            try:
                run_once(paths, peer, programs[peer.name], options_of(case, peer, share, rate))
            except Failed as e:
                print('    %s: %s' % (peer.name, e))
                running.remove(peer)
        results = {p.name: [] for p in running}
        for i in range(rounds):
            turns = [p for p in running if i < SLOW_ROUNDS or not p.slow]
            for peer in turns if i % 2 == 0 else reversed(turns):
                try:
                    result = run_once(paths, peer, programs[peer.name], options_of(case, peer, share, rate))
                    result['sessions'] = min(case.sessions, peer.most)
                    result['round'] = i
                    results[peer.name].append(result)
                except Failed as e:
                    print('    %s: %s' % (peer.name, e))
    finally:
        for program in programs.values():
            program.stop()
    return results, extra


# --- figures ----------------------------------------------------------------------------------------------------------

def figure(case, result):
    return result[case.metric] / (result['messages'] if case.metric == 'cpu_ns' else 1)


def ratios(case, results, name):
    """reference -> how many times its figure ours is: the median over the rounds, in each of which both ran one behind the
    other, so that what slows the machine down for a while slows down both."""
    ours = {r['round']: figure(case, r) for r in results[name]}
    out = {}
    for ref, runs in results.items():
        pairs = [ours[r['round']] / figure(case, r) for r in runs if r['round'] in ours and figure(case, r)]
        if pairs:
            out[ref] = statistics.median(pairs)
    return out


def summary(case, results):
    """name -> medians; a figure is `value`, in ns of CPU a message, µs, or KiB a session."""
    out = {}
    for name, runs in results.items():
        if not runs:
            continue
        values = sorted(figure(case, r) for r in runs)
        value = statistics.median(values)
        middle = values[len(values) // 4:len(values) - len(values) // 4]
        s = {'value': value, 'runs': len(values), 'spread': (middle[-1] - middle[0]) / value if value else 0,
             'ratios': ratios(case, results, name)}
        for key in ('p50_us', 'p99_us', 'p999_us', 'machine_kib', 'base_kib', 'sessions'):
            if key in runs[0]:
                s[key] = statistics.median([r[key] for r in runs])
        if 'seconds' in runs[0]:
            s['rate'] = statistics.median([r['messages'] / r['seconds'] for r in runs])
            s['cpu_ns'] = statistics.median([r['cpu_ns'] / r['messages'] for r in runs])
            # What else ran on the proxy's core meanwhile: a noisy machine shows here.
            s['others'] = statistics.median([max(0, r['busy_ns'] - r['cpu_ns']) / max(r['busy_ns'], 1) for r in runs])
        if 'handshakes' in runs[0]:
            s['resumed'] = runs[0]['resumed'] / max(runs[0]['handshakes'], 1)
        out[name] = s
    return out


def show_value(case, v):
    if case.metric == 'kib':
        return '%.2f KiB' % v
    if case.metric == 'p99_us':
        return '%.0f us p99' % v
    return '%.0f ns' % v if v < 1e4 else '%.1f us' % (v / 1e3)


def show(case, peers, figures, extra):
    reference = next((g[0] for g in case.goals if g[0] in figures), next(iter(figures), None))
    print('\n%s  (%s%s)' % (case.title, 'KiB a session' if case.idle else 'p99' if case.rate_of else 'CPU a message',
                            ', %.0f messages/s' % extra['rate'] if 'rate' in extra else ''))
    for peer in peers:
        f = figures.get(peer.name)
        if not f:
            continue
        ratio = f['ratios'].get(reference, 0)
        more = ''
        if 'p50_us' in f:
            more += '  p50 %.0f p99 %.0f p99.9 %.0f us' % (f['p50_us'], f['p99_us'], f['p999_us'])
        if 'rate' in f:
            more += '  %.0f/s' % f['rate'] if case.size < 4096 else '  %.0f MB/s' % (f['rate'] * case.size / 1e6)
        if 'machine_kib' in f:
            more += '  machine %.1f KiB, base %.1f MiB' % (f['machine_kib'], f['base_kib'] / 1024)
        if f.get('sessions', case.sessions) != case.sessions:
            more += '  (%d sessions)' % f['sessions']
        if 'resumed' in f:
            more += '  resumed %.0f %%' % (100 * f['resumed'])
        if f.get('others', 0) > 0.15:
            more += '  NOISY: %.0f %% of the core was others' % (100 * f['others'])
        print('  %-16s %12s  x%-7.2f ±%.0f %%%s' % (peer.name, show_value(case, f['value']), ratio, 50 * f['spread'], more))
    sys.stdout.flush()


def judge(all_figures):
    """(case, reference, ratio, wanted) of every goal that could be measured."""
    out = []
    for case in CASES:
        figures = all_figures.get(case.name, {}).get('peers', {})
        ours = figures.get('wsbridge-tls' if case.name.startswith('tls') else 'wsbridge')
        if not ours:
            continue
        out += [{'case': case.title, 'against': PEERS[ref].title, 'ratio': ours['ratios'][ref], 'goal': most,
                 'floor': figures.get('floor', {}).get('ratios', {}).get(ref)}
                for ref, most in case.goals if ref in ours['ratios']]
        if case.name in IDLE_LIMIT_KIB:
            out.append({'case': case.title, 'against': 'KiB', 'ratio': ours['value'], 'goal': IDLE_LIMIT_KIB[case.name]})
    few, many, ref = GROWTH
    growth = {}
    for name in ('wsbridge', 'floor'):  # (many / few) / (its many / its few), put together from what ran side by side
        at = [all_figures.get(c, {}).get('peers', {}).get(name, {}).get('ratios', {}).get(ref) for c in (few, many)]
        growth[name] = at[1] / at[0] if all(at) else None
    if growth['wsbridge']:
        out.append({'case': 'growth from 50 to 5,000 sessions', 'against': PEERS[ref].title, 'ratio': growth['wsbridge'],
                    'goal': 1.0, 'floor': growth['floor']})
    return out


def show_goals(goals):
    if goals:
        print('\ngoals')
    for g in goals:
        print('  %-4s %-36s %5.2f  (at most %.2f x %s%s)' % (
            'ok' if g['ratio'] <= g['goal'] else 'MISS', g['case'], g['ratio'], g['goal'], g['against'],
            '; the floor %.2f' % g['floor'] if g.get('floor') else ''))


# --- counts -----------------------------------------------------------------------------------------------------------

def strace_counts(path):
    counts = {}
    with open(path, encoding='utf-8') as f:
        for line in f:
            words = line.split()
            if len(words) >= 5 and words[0][0].isdigit() and words[-1] != 'total':
                counts[words[-1]] = counts.get(words[-1], 0) + int(words[3])
    return counts


def count_one(paths, peer, program, options, messages, counters):
    load = Load(paths, peer, options + ['--total', str(messages), '--check'])
    out = os.path.join(paths.run, 'strace.txt')
    try:
        load.ready()
        time.sleep(0.1)
        tracer = subprocess.Popen(['strace', '-c', '-f', '-o', out, '-p', str(program.pid)], stderr=subprocess.PIPE, text=True)
        line = tracer.stderr.readline()          # "Process 7 attached", or "attached with 2 threads"
        if 'attached' not in line:
            raise Failed('strace: ' + line.strip())
        time.sleep(0.1)
        before = struct.unpack('4Q', counters[:32])
        load.work()
        allocs = [b - a for a, b in zip(before, struct.unpack('4Q', counters[:32]))]
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        tracer.stderr.close()
    finally:
        load.close()
    calls = strace_counts(out)
    return {'calls': sum(calls.values()) / messages, 'allocs': sum(allocs[:3]) / messages,
            'by_call': {k: round(v / messages, 3) for k, v in sorted(calls.items(), key=lambda x: -x[1])}}


def smoke(paths, peers):
    """Counts per message, with ceilings for wsbridge; other peers are shown for comparison."""
    for tool in ('strace',):
        if not shutil.which(tool):
            sys.exit('bench-smoke: %s is missing: apt-get install %s' % (tool, tool))
    bad, out = 0, {}
    for peer in peers:
        file = os.path.join(paths.run, 'allocations')
        with open(file, 'wb') as f:
            f.write(bytes(32))
        env = dict(os.environ, LD_PRELOAD=os.path.join(paths.dir, 'alloc_count.so'), BENCH_ALLOC_FILE=file)
        with open(file, 'r+b') as f:
            counters = mmap.mmap(f.fileno(), 32)
        program = start(paths, peer, env=env)
        try:
            for title, options, messages, ceilings in SMOKE:
                count_one(paths, peer, program, options, max(messages // 10, 10), counters)
                got = count_one(paths, peer, program, options, messages, counters)
                over = [k for k, most in ceilings.items() if got[k] > most] if peer.name.startswith('wsbridge') else []
                bad += bool(over)
                out.setdefault(peer.name, {})[title] = got
                print('  %-6s%-10s %-22s %6.2f system calls (at most %g), %.3f allocations (at most %g)  %s' % (
                    'OVER' if over else 'ok', peer.name, title, got['calls'], ceilings['calls'], got['allocs'],
                    ceilings['allocs'], ' '.join('%s=%g' % x for x in list(got['by_call'].items())[:5])))
                sys.stdout.flush()
        finally:
            program.stop()
    return out, bad


def callgrind_total(paths, peer, options, messages):
    out = os.path.join(paths.run, 'callgrind.out')
    if os.path.exists(out):
        os.unlink(out)
    program = start(paths, peer, wrap=['valgrind', '--tool=callgrind', '--callgrind-out-file=' + out])
    try:
        load = Load(paths, peer, options + ['--total', str(messages)])
        try:
            load.ready()
            load.work()
        finally:
            load.close()
        time.sleep(0.3)
    finally:
        program.stop(patience=20)
    with open(out, encoding='utf-8', errors='replace') as f:
        m = re.findall(r'^(?:summary|totals): (\d+)', f.read(), re.M)
    if not m:
        raise Failed('callgrind wrote no total')
    return int(m[-1])


def instructions(paths, peers):
    """User-space instructions a message: two runs of different length, so that start and end cancel out."""
    out = {}
    for peer in peers:
        for name, options, few, many in INSTRUCTIONS:
            try:
                a, b = (callgrind_total(paths, peer, options, n) for n in (few, many))
            except (Failed, OSError) as e:
                print('    %s %s: %s' % (peer.name, name, e))
                continue
            out.setdefault(peer.name, {})[name] = round((b - a) / (many - few), 1)
            print('  %-12s %-10s %10.0f instructions a message' % (peer.name, name, out[peer.name][name]))
            sys.stdout.flush()
    return out


# --- main -------------------------------------------------------------------------------------------------------------

def machine():
    model = [line.split(':', 1)[1].strip() for line in measure.read('/proc/cpuinfo').splitlines() if line.startswith('model name')]
    return {'cpu': model[0] if model else platform.machine(), 'cores': os.cpu_count(), 'kernel': platform.release(),
            'congestion': measure.read('/proc/sys/net/ipv4/tcp_congestion_control').strip()}


def commit():
    r = subprocess.run(['git', 'describe', '--always', '--dirty'], capture_output=True, text=True, check=False)
    return r.stdout.strip()


def save(paths, mode, data):
    stamp = time.strftime('%Y%m%d-%H%M%S')
    path = os.path.join(paths.dir, '%s-%s.json' % (mode, stamp))
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(data, f, indent=1)
    print('\n%s' % os.path.relpath(path))


def available(paths, names):
    usable, told = [], []
    for name in names:
        why = PEERS[name].missing(paths)
        (told if why else usable).append((name, why) if why else PEERS[name])
    for name, why in told:
        print('  without %s: %s' % (name, why))
    return usable


def timed(paths, args):
    only = args.only.split(',') if args.only else None
    chosen = [c for c in CASES if (c.name in only or c.name.split('-')[0] in only if only else args.mode != 'quick' or c.quick)]
    wanted = args.peers.split(',') if args.peers else None
    if args.mode == 'floor' and not wanted:
        wanted = ['floor', 'floor-splice', 'wsbridge', 'haproxy']
    if args.mode == 'quick' and not wanted:
        wanted = [n for n in PEERS if n not in ('node', 'websockify', 'haproxy-auto')]
    if not chosen:
        sys.exit('no such case; there are: ' + ' '.join(c.name for c in CASES))
    names = [n for n in PEERS if any(n in c.peers for c in chosen) or (wanted and n in wanted)]
    usable = {p.name: p for p in available(paths, [n for n in names if not wanted or n in wanted])}
    data = {'mode': args.mode, 'time': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'commit': commit(),
            'machine': machine(), 'runs': args.runs, 'cases': {}, 'raw': {}}
    try:
        for case in chosen:
            extra_peers = [n for n in (wanted or []) if n not in case.peers and PEERS[n].tls == PEERS[case.peers[0]].tls]
            peers = [usable[n] for n in case.peers + extra_peers if n in usable]
            try:
                results, extra = measure_case(paths, case, peers, args.runs)
            except Failed as e:
                print('  %s: %s' % (case.name, e))
                continue
            figures = summary(case, results)
            show(case, peers, figures, extra)
            data['cases'][case.name] = dict(extra, title=case.title, metric=case.metric, size=case.size, peers=figures)
            data['raw'][case.name] = results
        if args.mode == 'full' and not only:
            print('\ninstructions')
            data['instructions'] = instructions(paths, [p for p in usable.values() if p.name in ('wsbridge', 'floor')])
    finally:                           # a run that is cut short keeps what it has
        data['goals'] = judge(data['cases'])
        show_goals(data['goals'])
        save(paths, args.mode, data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--build', default='build')
    parser.add_argument('--only')
    parser.add_argument('--peers')
    parser.add_argument('--runs', type=int)
    parser.add_argument('mode', choices=['full', 'quick', 'floor', 'smoke', 'instructions'])
    args = parser.parse_args()
    args.runs = args.runs or {'full': 16, 'quick': 8, 'floor': 16}.get(args.mode, 1)
    base = next((b for b in range(BASE, BASE + 2000, 100) if not measure.listening(b)), BASE)
    if base != BASE and args.mode != 'smoke':
        print('  another benchmark is running: times will be noisy')
    paths = Paths(args.build, base)
    os.sched_setaffinity(0, {LOAD_CORE})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if args.mode in ('smoke', 'instructions'):
            peers = available(paths, (args.peers or 'wsbridge').split(','))
            if not peers:
                sys.exit(1)
            got, bad = smoke(paths, peers) if args.mode == 'smoke' else (instructions(paths, peers), 0)
            save(paths, args.mode, {'mode': args.mode, 'commit': commit(), 'machine': machine(), args.mode: got})
            sys.exit(1 if bad else 0)
        timed(paths, args)
    except Failed as e:
        sys.exit('bench: %s' % e)


if __name__ == '__main__':
    main()
