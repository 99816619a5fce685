#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The rules that no compiler checks, over src/ and the table beside this file (layers.txt).

 - a file includes only its own folder and folders of a lower rank; a header outside libc only where the table allows it
 - no function that cannot be told the size of what it writes (strcpy and its kin), no strtok, no alloca
 - no mutable variable with static storage outside src/app/main.c: state hangs from a struct that someone owns
 - no #if in .c files: a choice of features is a table (.def), a choice of platforms is a file

It reads C with comments and literals blanked out, and knows only as much syntax as these rules need.
    layers.py [ROOT]        exit 0 without a finding, 1 with; every finding as file:line: what
    layers.py --self-test   each rule against a small tree that breaks it
"""
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BANNED = re.compile(r'\b(strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok|strtok_r|alloca|strncpy|strncat)\s*\(')
LIBC = set('''alloca assert complex ctype dirent dlfcn errno fcntl fenv float fnmatch getopt glob grp inttypes limits locale math
netdb poll pthread pwd resolv sched semaphore setjmp shadow signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio
stdlib stdnoreturn string strings syslog termios time unistd utime wchar wctype endian byteswap execinfo malloc ifaddrs
langinfo wordexp search immintrin emmintrin tmmintrin arm_neon cpuid'''.split())
LIBC_FOLDERS = ('sys/', 'netinet/', 'arpa/', 'net/', 'linux/', 'asm/', 'bits/', 'sanitizer/')
TYPE_WORDS = re.compile(r'\b(struct|union|enum)\b')


class Table:
    def __init__(self, path):
        self.rank, self.allowed, self.ifs, self.state = {}, {}, {}, set()
        with open(path, encoding='utf-8') as f:
            for number, line in enumerate(f, 1):
                words = line.split('#')[0].split()
                if not words:
                    continue
                if words[0] == 'if':                   # if FILE MACRO,...: a platform file and what it may ask for
                    self.ifs[words[1]] = set(words[2].split(','))
                elif words[0] == 'state':              # state FILE NAME,...: a mutable variable that has a reason
                    self.state |= {(words[1], n) for n in words[2].split(',')}
                elif words[0].isdigit():
                    self.rank[words[1]] = int(words[0])
                    self.allowed[words[1]] = [w.split('=', 1) for w in words[2:] if w != '-']
                else:
                    sys.exit('%s:%d: not understood: %s' % (path, number, line.strip()))
        self.third_party = {prefix for rules in self.allowed.values() for _, many in rules for prefix in many.split(',')}

    def may_include(self, folder, name, header):
        return any(f in ('*', name) and any(header.startswith(p) for p in many.split(','))
                   for f, many in self.allowed[folder])


def blank(text, literals=True):
    """Comments (and literals) as spaces, lines kept."""
    def space(m):
        s = m.group(0)
        if s[0] in '"\'' and not literals:
            return s
        body = re.sub(r'[^\n]', ' ', s)
        return '"' + body[1:-1] + '"' if s[0] == '"' else body
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', space, text, flags=re.S)


def preprocessor(text):
    """(line number, directive) of each, and the text without them."""
    found, out, lines, i = [], [], text.split('\n'), 0
    while i < len(lines):
        if lines[i].lstrip().startswith('#'):
            start, whole = i, ''
            while True:
                whole += lines[i].rstrip('\\') + ' '
                out.append('')
                if not lines[i].endswith('\\') or i + 1 == len(lines):
                    break
                i += 1
            found.append((start + 1, whole.strip()))
        else:
            out.append(lines[i])
        i += 1
    return found, '\n'.join(out)


def skip(text, i, open_, close):
    depth = 0
    while i < len(text):
        depth += (text[i] == open_) - (text[i] == close)
        i += 1
        if depth == 0:
            break
    return i


def without_attributes(decl):
    while True:
        m = re.search(r'__attribute__\s*\(|_Alignas\s*\(|__declspec\s*\(|\btypeof\s*\(', decl)
        if not m:
            return decl
        decl = decl[:m.start()] + ' ' + decl[skip(decl, m.end() - 1, '(', ')'):]


def variable(decl):
    """The name of the mutable variable that a declaration makes, or None. The initialiser is cut off already."""
    decl = ' '.join(without_attributes(decl).split())
    if not decl or re.match(r'(typedef|extern|_Static_assert|static_assert)\b', decl):
        return None
    pointer = re.search(r'\(\s*\*\s*(const\s+)?(\w+)[^)]*\)\s*\(', decl)
    if pointer and pointer.start() == decl.index('('):      # else a prototype that takes one
        return None if pointer.group(1) else pointer.group(2)
    if '(' in decl:                                    # a prototype, or a macro that makes something
        return None
    m = re.search(r'(\w+)\s*(\[[^]]*\]\s*)*$', decl)
    if not m or (TYPE_WORDS.match(decl) and len(decl.split()) < 3):
        return None                                    # `struct name` alone declares a type
    kind = decl[:m.start()]
    if not re.search(r'\w', kind):
        return None
    outermost = kind.rsplit('*', 1)[-1] if '*' in kind else kind
    return None if re.search(r'\bconst\b', outermost) else m.group(1)


def locals_of(body, line):
    for m in re.finditer(r'\b(static|_Thread_local|__thread)\b([^;={]*)', body):
        name = variable(m.group(2)) if not re.match(r'\s*(inline)\b', m.group(2)) else None
        if name:
            yield line + body[:m.start()].count('\n'), name


def mutable_variables(text):
    """(line, name) of all with static storage that are not const."""
    i, start = 0, 0
    decl = ''
    while i < len(text):
        c = text[i]
        if c == '{':
            end = skip(text, i, '{', '}')
            plain = without_attributes(decl)
            if '=' in plain:                           # an initialiser
                pass
            elif plain.rstrip().endswith(')'):         # a function
                yield from locals_of(text[i:end], 1 + text[:i].count('\n'))
                decl, i, start = '', end, end
                continue
            decl += ' '
            i = end
        elif c == ';':
            for name in filter(None, [variable(decl.split('=')[0])]):
                first = start + len(text[start:]) - len(text[start:].lstrip())
                yield 1 + text[:first].count('\n'), name
            decl, i, start = '', i + 1, i + 1
        else:
            decl += c
            i += 1


def check_include(table, rel, folder, header, quoted):
    if quoted:
        if '/' not in header:
            return None if header.endswith('.def') else 'include "%s" with its folder' % header
        other = header.split('/')[0]
        if other == folder:
            return None
        if other not in table.rank:
            return 'includes the unknown folder %s' % other
        if table.rank[other] >= table.rank[folder]:
            return '%s (rank %d) may not include %s (rank %d)' % (folder, table.rank[folder], other, table.rank[other])
        return None
    if any(header.startswith(p) for p in table.third_party):
        ok = table.may_include(folder, os.path.basename(rel), header)
        return None if ok else '<%s> has its own place, not here (layers.txt)' % header
    if header.startswith(LIBC_FOLDERS) or header.rsplit('.', 1)[0] in LIBC:
        return None
    return '<%s> is neither libc nor in layers.txt' % header


def check_file(table, root, rel):
    with open(os.path.join(root, rel), encoding='utf-8') as f:
        raw = f.read()
    folder = rel.split('/')[1]
    directives, _ = preprocessor(blank(raw, literals=False))
    _, code = preprocessor(blank(raw))
    for line, d in directives:
        m = re.match(r'#\s*include\s*([<"])([^>"]+)[>"]', d)
        problem = m and check_include(table, rel, folder, m.group(2), m.group(1) == '"')
        if problem:
            yield line, problem
        m = re.match(r'#\s*(if|ifdef|ifndef|elif)\b(.*)', d)
        if m and rel.endswith('.c'):
            words = set(re.findall(r'[A-Za-z_]\w*', m.group(2))) - {'defined'}
            if not words <= table.ifs.get(rel[4:], set()) or not words:
                yield line, '#%s in a .c file: make it a table (.def) or a file of its own' % m.group(1)
        m = re.match(r'#\s*define\b(.*)', d)
        for b in BANNED.finditer(m.group(1) if m else ''):
            yield line, '%s() is banned' % b.group(1)
    for b in BANNED.finditer(code):
        yield 1 + code[:b.start()].count('\n'), '%s() is banned' % b.group(1)
    if rel != 'src/app/main.c':
        for line, name in mutable_variables(code):
            if (rel[4:], name) not in table.state:
                yield line, '%s is mutable and has static storage: give it an owner, or make it const' % name


def check_tree(root, table):
    findings, files = [], 0
    for folder in sorted(os.listdir(os.path.join(root, 'src'))):
        path = os.path.join(root, 'src', folder)
        if not os.path.isdir(path):
            continue
        if folder not in table.rank:
            findings.append('src/%s: a folder that layers.txt does not know' % folder)
            continue
        for name in sorted(os.listdir(path)):
            rel = 'src/%s/%s' % (folder, name)
            if os.path.isdir(os.path.join(root, rel)):
                findings.append('%s: folders are one level deep' % rel)
            elif name.endswith(('.c', '.h', '.def')):
                files += 1
                findings += ['%s:%d: %s' % (rel, line, what) for line, what in check_file(table, root, rel)]
    return findings, files


# --- every rule, seen to fail -------------------------------------------------------------------------------------------

CASES = [  # file, text, part of the finding or None
    ('base/a.c', '#include "net/loop.h"\n', 'may not include net'),
    ('http/a.c', '#include "obs/log.h"\n', 'may not include obs'),
    ('net/a.c', '#include "base/addr.h"\n#include "net/loop.h"\n#include <ev.h>\n#include <sys/socket.h>\n', None),
    ('net/a.c', '#include "gone/x.h"\n', 'unknown folder'),
    ('base/a.c', '#include <ev.h>\n', 'has its own place'),
    ('config/yaml.c', '#include <yaml.h>\n', None),
    ('config/other.c', '#include <yaml.h>\n', 'has its own place'),
    ('base/a.c', '#include <jansson.h>\n', 'neither libc'),
    ('base/a.c', 'int f(char *p) { strcpy(p, "x"); return 0; }\n', 'strcpy() is banned'),
    ('base/a.c', '/* strcpy(a, b) */ const char *f(void) { return "gets("; }\n', None),
    ('base/a.c', '#define COPY(a) sprintf(a, "x")\n', 'sprintf() is banned'),
    ('base/a.c', 'int f(char *p) { return snprintf(p, 2, "%d", 1); }\n', None),
    ('base/a.c', '#ifdef X\nint a(void);\n#endif\n', '#ifdef in a .c file'),
    ('base/a.h', '#ifndef X\n#define X\n#endif\n', None),
    ('base/a.c', 'static int count;\n', 'count is mutable'),
    ('base/a.c', 'int count = 3;\n', 'count is mutable'),
    ('base/a.c', 'static const char *names[] = {"a", "b"};\n', 'names is mutable'),
    ('base/a.c', 'static const char *const names[] = {"a", "b"};\n', None),
    ('base/a.c', 'static const struct x y = {.f = 1, .g = {2, 3}};\nint f(void);\n', None),
    ('base/a.c', 'static struct x y = {.f = 1};\n', 'y is mutable'),
    ('base/a.c', 'struct x { int a; };\nenum e { A, B };\nunion u;\nstruct z;\ntypedef int t;\nextern int q;\n', None),
    ('base/a.c', 'struct x { int a; } y;\n', 'y is mutable'),
    ('base/a.c', 'static void (*hook)(int a);\n', 'hook is mutable'),
    ('base/a.h', 'void f(int a, void (*fire)(int b), void *q);\n', None),
    ('base/a.c', 'static int f(void)\n{\n    static int n;\n    return n++;\n}\n', 'a.c:3: n is mutable'),
    ('base/a.c', 'static int f(void)\n{\n    static const int n = 1;\n    int m = 2;\n    return n + m;\n}\n', None),
    ('base/a.c', 'static _Thread_local int n;\n', 'n is mutable'),
    ('app/main.c', 'static int n;\n', None),
    ('base/a.c', 'static inline int f(int a) { if (a) { return 1; } return 0; }\n', None),
    ('base/a.c', 'int f(int) __attribute__((format(printf, 1, 2)));\n_Static_assert(1, "x");\n', None),
    ('odd/a.c', '\n', 'does not know'),
]


def self_test(table):
    bad = 0
    for rel, text, want in CASES:
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, 'src', os.path.dirname(rel)))
            with open(os.path.join(root, 'src', rel), 'w', encoding='utf-8') as f:
                f.write(text)
            found, _ = check_tree(root, table)
            if (want is None and found) or (want is not None and not any(want in x for x in found)):
                bad += 1
                print('layers.py: self-test: %r\n  wanted %r, found %r' % (text, want, found), file=sys.stderr)
    return bad


def main(argv):
    table = Table(os.path.join(HERE, 'layers.txt'))
    if self_test(table):
        return 1
    if '--self-test' in argv:
        return 0
    root = argv[1] if len(argv) > 1 else os.path.join(HERE, '..', '..')
    findings, files = check_tree(root, table)
    for f in findings:
        print(f, file=sys.stderr)
    if not findings:
        print('  ok    layers: %d files' % files)
    return 1 if findings else 0


sys.exit(main(sys.argv))
