#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The benchmark's JSON as a Markdown table and an SVG chart.

    report.py [--readme FILE] DIR [FILE.json ...]     without files: the newest full run in DIR, or else the newest quick one

Several files are several runs: the table shows the median of their medians and how far they are apart. --readme puts the
main rows between the two marks in FILE, and the chart beside it where FILE says.
"""
import glob
import json
import os
import statistics
import sys

from cases import CASES
from peers import PEERS

REFERENCE = {'down-16k': 'haproxy-splice', 'down-256k': 'haproxy-splice'}
COLUMNS = ['wsbridge', 'floor', 'floor-splice', 'haproxy', 'haproxy-splice', 'nginx', 'node', 'websockify']
TLS_COLUMNS = ['wsbridge-tls', 'haproxy-tls', 'nginx-tls', 'stunnel']
# The rows and columns of the README: work -> what it is called there.
SHORT = [
    ('up-64', 'to the backend, 64 B messages'), ('up-16k', 'to the backend, 16 KiB'), ('down-16k', 'to the client, 16 KiB'),
    ('echo-64-50', 'echo 64 B, 50 sessions'), ('echo-64-500', 'echo 64 B, 500 sessions'),
    ('connect', 'connect, one echo, close'), ('idle-1000', 'memory of an idle session'),
    ('tls-down-16k', 'TLS to the client, 16 KiB'), ('tls-echo-64-50', 'TLS echo 64 B, 50 sessions'),
    ('tls-full', 'TLS handshake, one echo, close'), ('tls-idle-1000', 'memory of an idle TLS session'),
]
SHORT_COLUMNS = [('wsbridge', 'wsbridge-tls'), ('haproxy', 'haproxy-tls'), ('nginx', 'nginx-tls'), ('node', None),
                 ('websockify', None)]
MARKS = ('<!-- measured -->', '<!-- end of measured -->')
COLORS = {'wsbridge': '#1f6feb', 'wsbridge-tls': '#1f6feb', 'floor': '#b0b8c1', 'floor-splice': '#d0d7de', 'haproxy': '#2da44e',
          'haproxy-splice': '#57c478', 'haproxy-tls': '#2da44e', 'nginx': '#bf8700', 'nginx-tls': '#bf8700', 'node': '#cf222e',
          'websockify': '#8250df', 'stunnel': '#8250df'}


def newest(folder):
    for kind in ('full', 'quick', 'floor'):
        files = glob.glob(os.path.join(folder, kind + '-*.json'))
        if files:
            return [max(files, key=os.path.getmtime)]
    sys.exit('bench-report: no JSON in %s: run make bench first' % folder)


def merge(runs):
    """case -> peer -> (value, spread over the runs, or inside the only one, reference -> ratio)."""
    out = {}
    for case in CASES:
        have = [r['cases'][case.name]['peers'] for r in runs if case.name in r['cases']]
        for peer in {p for h in have for p in h}:
            values = [h[peer]['value'] for h in have if peer in h]
            value = statistics.median(values)
            spread = (max(values) - min(values)) / value if len(values) > 1 and value else have[0].get(peer, {}).get('spread', 0)
            ratios = [h[peer]['ratios'] for h in have if peer in h]
            over = {ref: statistics.median([r[ref] for r in ratios if ref in r]) for ref in {ref for r in ratios for ref in r}}
            out.setdefault(case.name, {})[peer] = (value, spread, over)
    return out


def reference(case, figures):
    wanted = REFERENCE.get(case.name, 'haproxy-tls' if case.name.startswith('tls') else 'nginx' if case.rate_of else 'haproxy')
    return wanted if wanted in figures else None


def value(case, v):
    if case.metric == 'kib':
        return '%.2f KiB' % v
    if case.metric == 'p99_us':
        return '%.2f ms' % (v / 1e3)
    return '%.0f ns' % v if v < 1000 else '%.1f µs' % (v / 1e3) if v < 1e6 else '%.1f ms' % (v / 1e6)


def ratio(r):
    return '%.2f' % r if r < 10 else '%.0f' % r


def table(merged, columns):
    columns = [c for c in columns if any(c in f for f in merged.values())]
    lines = ['| work | ' + ' | '.join(PEERS[c].title for c in columns) + ' |', '|---|' + '---:|' * len(columns)]
    for case in CASES:
        figures = merged.get(case.name, {})
        if not any(c in figures for c in columns):
            continue
        ref, cells = reference(case, figures), []
        for c in columns:
            if c not in figures:
                cells.append('')
            elif c == ref or not ref:
                cells.append('%s (1)' % value(case, figures[c][0]))
            else:
                cells.append('%s × %s' % (value(case, figures[c][0]), ratio(figures[c][2][ref])))
        lines.append('| %s | %s |' % (case.title, ' | '.join(cells)))
    return lines


def short(runs, merged):
    lines = ['| CPU per message (memory per session) | ' + ' | '.join(PEERS[c[0]].title for c in SHORT_COLUMNS) + ' |',
             '|---|' + '---:|' * len(SHORT_COLUMNS)]
    cases = {c.name: c for c in CASES}
    for name, title in SHORT:
        figures = merged.get(name, {})
        cells = []
        for clear, tls in SHORT_COLUMNS:
            peer = tls if name.startswith('tls') else clear
            cells.append(value(cases[name], figures[peer][0]) if peer in figures else '')
        if any(cells):
            lines.append('| %s | %s |' % (title, ' | '.join(cells)))
    m = runs[-1]['machine']
    counts = {sum(name in r['cases'] for r in runs) for name in merged}
    n = max(counts)
    spliced = merged.get('down-16k', {}).get('haproxy-splice')
    lines += ['', '%s run%s on %s, Linux %s, one worker on one core. HAProxy and nginx do not speak WebSocket here: they forward '
              'TCP.%s' % ('%d to %d' % (min(counts), n) if min(counts) < n else n, 's' * (n > 1), m['cpu'], m['kernel'],
                          ' With splice HAProxy takes %s for 16 KiB to the client.' % value(cases['down-16k'], spliced[0])
                          if spliced else '')]
    return '\n'.join(lines) + '\n'


def into_readme(path, text):
    with open(path, encoding='utf-8') as f:
        old = f.read()
    if any(m not in old for m in MARKS):
        sys.exit('bench-report: %s lacks %s ... %s' % ((path,) + MARKS))
    before, rest = old.split(MARKS[0], 1)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(before + MARKS[0] + '\n' + text + MARKS[1] + rest.split(MARKS[1], 1)[1])


def goals(runs):
    rows = {}
    for r in runs:
        for g in r.get('goals', []):
            rows.setdefault((g['case'], g['against'], g['goal']), []).append((g['ratio'], g.get('floor')))
    if not rows:
        return []
    lines = ['', '| work | goal | measured | the floor |', '|---|---|---|---|']
    for (case, against, goal), got in rows.items():
        unit = 'KiB a session' if against == 'KiB' else '× ' + against
        ours, floors = [g[0] for g in got], [g[1] for g in got if g[1]]
        lines.append('| %s | at most %.2f %s | %s%s | %s |' % (
            case, goal, unit, ', '.join(ratio(g) for g in ours), '' if max(ours) <= goal else ' **missed**',
            ', '.join(ratio(g) for g in floors)))
    return lines


def counts(runs):
    have = [r['instructions'] for r in runs if r.get('instructions')]
    if not have:
        return []
    lines = ['', '| user-space instructions | ' + ' | '.join(PEERS[p].title for p in have[-1]) + ' |',
             '|---|' + '---:|' * len(have[-1])]
    for name in next(iter(have[-1].values())):
        lines.append('| %s | %s |' % (name.replace('_', ' '), ' | '.join('%.0f' % f.get(name, 0) for f in have[-1].values())))
    return lines


def markdown(runs, merged):
    m = runs[-1]['machine']
    lines = ['CPU per message (or memory per session, or latency), one worker on one core; in brackets or after × the ratio to '
             'the reference of the row (1).', '',
             'Measured %s at %s on %s, Linux %s; %d run%s of %s rounds.' % (
                 runs[-1]['time'][:10], runs[-1]['commit'], m['cpu'], m['kernel'], len(runs), 's' * (len(runs) > 1), runs[-1]['runs']),
             '']
    lines += table(merged, COLUMNS)
    tls = table(merged, TLS_COLUMNS)
    if len(tls) > 2:
        lines += [''] + tls
    return '\n'.join(lines + goals(runs) + counts(runs)) + '\n'


# --- the chart: one group a case, one bar a peer, log scale of the ratio -----------------------------------------------

def escape(text):
    return text.replace('&', '&amp;').replace('<', '&lt;')


def svg(merged):
    import math
    groups = []
    for case in CASES:
        figures = merged.get(case.name, {})
        ref = reference(case, figures)
        if not ref:
            continue
        columns = TLS_COLUMNS if case.name.startswith('tls') else COLUMNS
        bars = [(p, figures[p][2][ref], figures[p][0]) for p in columns if p in figures and figures[p][2].get(ref)]
        if len(bars) > 1:
            groups.append((case, bars))
    low, high = 0.1, max([b[1] for _, bars in groups for b in bars] + [10])
    left, wide, bar, gap, top = 210, 560, 13, 16, 46

    def x(r):
        return left + wide * (math.log10(max(r, low)) - math.log10(low)) / (math.log10(high * 1.3) - math.log10(low))
    out, y = [], top
    ticks = [10.0 ** e for e in range(-1, int(math.log10(high)) + 1)]
    for case, bars in groups:
        out.append('<text x="%d" y="%d" class="case">%s</text>' % (left - 10, y + bar, escape(case.title)))
        for peer, r, v in bars:
            out.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"><title>%s</title></rect>' % (
                left, y, max(x(r) - left, 1), bar - 2, COLORS.get(peer, '#888'), escape(PEERS[peer].title)))
            out.append('<text x="%.1f" y="%d" class="note">%s  ×%s  %s</text>' % (
                x(r) + 5, y + bar - 3, escape(PEERS[peer].title), ratio(r), escape(value(case, v))))
            y += bar
        y += gap
    grid = ['<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="%s"/><text x="%.1f" y="%d" class="tick">×%g</text>' % (
        x(t), x(t), top - 8, y - gap, 'one' if t == 1 else 'grid', x(t), top - 14, t) for t in ticks]
    return '\n'.join(
        ['<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="%d" viewBox="0 0 1000 %d" role="img">' % (y, y),
         '<title>CPU per unit of work beside raw TCP proxies (less is better)</title>',
         '<style>text{font:11px system-ui,sans-serif;fill:#24292f}.case{text-anchor:end;font-weight:600}.note{font-size:10px;'
         'fill:#57606a}.tick{text-anchor:middle;font-size:10px}.grid{stroke:#d0d7de}.one{stroke:#24292f;stroke-dasharray:3 2}</style>',
         '<rect width="100%" height="100%" fill="#ffffff"/>',
         '<text x="%d" y="16">CPU per unit of work (idle rows: memory; p99 row: latency) against the reference, log scale, '
         'less is better</text>' % left] + grid + out + ['</svg>', ''])


def main():
    args = sys.argv[1:]
    readme = args[1] if args and args[0] == '--readme' else None
    folder, files = (args[2:] if readme else args)[0], (args[3:] if readme else args[1:])
    files = files or newest(folder)
    runs = [json.load(open(f, encoding='utf-8')) for f in files]
    merged = merge(runs)
    for name, text in (('report.md', markdown(runs, merged)), ('report.svg', svg(merged))):
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
            f.write(text)
        print('  %s' % os.path.join(folder, name))
    if readme:
        into_readme(readme, short(runs, merged))
        with open(os.path.join(os.path.dirname(readme) or '.', '.github', 'bench.svg'), 'w', encoding='utf-8') as f:
            f.write(svg(merged))
        print('  %s, .github/bench.svg' % readme)


if __name__ == '__main__':
    main()
