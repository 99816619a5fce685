# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The programs that are measured: how each is started with one worker, and what it can and cannot do.

A peer's work in a case is divided by `slow`, so that one that needs a thousand times as long is measured on a thousandth
of the work: the figure is per message anyway.
"""
import os
import shutil
import subprocess

BASE = 18700                        # the backend's port; peers follow. Another hundred is taken when this one is in use
NGINX_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so'


class Peer:
    def __init__(self, name, title, start, port, ws=True, tls=False, most=20000, slow=None, needs=None):
        self.name, self.title, self.start, self.offset = name, title, start, port - BASE
        self.ws, self.tls, self.most, self.slow, self.needs = ws, tls, most, slow or {}, needs

    def port(self, paths):
        return paths.backend + self.offset

    def missing(self, paths):
        """Why it cannot run here, or None."""
        return self.needs(paths) if self.needs else None


class Paths:
    def __init__(self, build, base=BASE):
        self.backend = base
        self.build = os.path.abspath(build)
        self.dir = os.path.join(self.build, 'bench')
        self.run = os.path.join(self.dir, 'run')
        self.wsbridge = os.environ.get('WSBRIDGE', os.path.join(self.build, 'wsbridge'))
        self.wsload = os.path.join(self.dir, 'wsload')
        self.floor = os.path.join(self.dir, 'floor')
        self.node = os.path.join(self.dir, 'node')
        os.makedirs(self.run, exist_ok=True)

    def write(self, name, text):
        path = os.path.join(self.run, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def certificate(self):
        """One P-256 certificate for all, made once: (cert, key, both in one file)."""
        cert, key, both = (os.path.join(self.run, n) for n in ('cert.pem', 'key.pem', 'both.pem'))
        if not os.path.exists(both):
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                            '-keyout', key, '-out', cert, '-days', '3650', '-subj', '/CN=localhost'],
                           check=True, stderr=subprocess.DEVNULL)
            with open(both, 'w', encoding='ascii') as f:
                f.write(open(cert, encoding='ascii').read() + open(key, encoding='ascii').read())
        return cert, key, both


def command(name, package):
    return lambda paths: None if shutil.which(name, path=os.environ['PATH'] + ':/usr/sbin') else 'apt-get install ' + package


def which(name):
    return shutil.which(name, path=os.environ['PATH'] + ':/usr/sbin') or name


# --- wsbridge ---------------------------------------------------------------------------------------------------------

WSBRIDGE = '''listen: 127.0.0.1:%d
to: 127.0.0.1:%d
process: {workers: 1}
limits: {%s}
log: {level: error, access: off}
%s'''
# A build that does not know a limit yet has none to lift.
WSBRIDGE_LIMITS = ['connections: 100000, per_ip: unlimited, new_per_ip: unlimited', 'connections: 100000']


def wsbridge(paths, port, extra=''):
    for limits in WSBRIDGE_LIMITS:
        path = paths.write('wsbridge-%d.yaml' % port, WSBRIDGE % (port, paths.backend, limits, extra))
        r = subprocess.run([paths.wsbridge, '-t', '-c', path], capture_output=True, check=False)
        if r.returncode == 0:
            break
    return [paths.wsbridge, '-c', path]


def wsbridge_tls(paths, port):
    cert, key, _ = paths.certificate()
    return wsbridge(paths, port, 'tls: {cert: %s, key: %s}\n' % (cert, key))


def has_wsbridge(paths):
    return None if os.path.exists(paths.wsbridge) else paths.wsbridge + ' is not built'


def has_wsbridge_tls(paths):
    if has_wsbridge(paths):
        return has_wsbridge(paths)
    argv = wsbridge_tls(paths, paths.backend + 99)
    r = subprocess.run([argv[0], '-t'] + argv[1:], capture_output=True, text=True, check=False)
    return None if r.returncode == 0 else 'wsbridge has no TLS: ' + (r.stderr.strip().splitlines() or [''])[0]


# --- the floor --------------------------------------------------------------------------------------------------------

def floor(paths, port):
    return [paths.floor, str(port), str(paths.backend)]


def floor_splice(paths, port):
    return floor(paths, port) + ['splice']


# --- HAProxy ----------------------------------------------------------------------------------------------------------

HAPROXY = '''global
    nbthread 1
    maxconn %d
%s
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
%s
listen bench
    bind 127.0.0.1:%d backlog 4096 %s
    server backend 127.0.0.1:%d
'''


def haproxy(paths, port, options='', bind='', globals_='', most=9900):
    path = paths.write('haproxy-%d.cfg' % port, HAPROXY % (most, globals_, options, port, bind, paths.backend))
    return [which('haproxy'), '-db', '-f', path]


def haproxy_splice(paths, port):
    return haproxy(paths, port, '    option splice-request\n    option splice-response\n', most=6000)  # pipes are descriptors too


def haproxy_auto(paths, port):
    return haproxy(paths, port, '    option splice-auto\n', most=6000)


def haproxy_tls(paths, port):
    return haproxy(paths, port, bind='ssl crt ' + paths.certificate()[2],
                   globals_='    ssl-default-bind-options ssl-min-ver TLSv1.2\n')


# --- nginx ------------------------------------------------------------------------------------------------------------

NGINX = '''load_module %s;
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid %s;
error_log %s;
events { worker_connections 19900; }
stream {
    server {
        listen 127.0.0.1:%d backlog=4096 %s;
        proxy_pass 127.0.0.1:%d;
        proxy_timeout 1h;
        %s
    }
}
'''


def nginx(paths, port, listen='', extra=''):
    own = os.path.join(paths.run, 'nginx-%d' % port)
    conf = paths.write('nginx-%d.conf' % port,
                       NGINX % (NGINX_MODULE, own + '.pid', own + '.log', port, listen, paths.backend, extra))
    return [which('nginx'), '-c', conf, '-p', paths.run, '-e', own + '.log']


def nginx_tls(paths, port):
    cert, key, _ = paths.certificate()
    return nginx(paths, port, 'ssl', 'ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.2 TLSv1.3; '
                 'ssl_session_cache shared:SSL:10m;' % (cert, key))


def has_nginx(paths):
    return command('nginx', 'nginx')(paths) or \
        (None if os.path.exists(NGINX_MODULE) else 'apt-get install libnginx-mod-stream')


# --- stunnel ----------------------------------------------------------------------------------------------------------

STUNNEL = '''foreground = quiet
pid =
debug = 3
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[bench]
accept = 127.0.0.1:%d
connect = 127.0.0.1:%d
cert = %s
sslVersionMin = TLSv1.2
'''


def stunnel(paths, port):
    return [which('stunnel4') if shutil.which('stunnel4') else which('stunnel'),
            paths.write('stunnel-%d.conf' % port, STUNNEL % (port, paths.backend, paths.certificate()[2]))]


# --- the websockify family --------------------------------------------------------------------------------------------

def websockify(paths, port):
    return [which('websockify'), '127.0.0.1:%d' % port, '127.0.0.1:%d' % paths.backend]


NODE_PACKAGE = '@maximegris/node-websockify'


def node(paths, port):
    script = "require('%s')({source: '127.0.0.1:%d', target: '127.0.0.1:%d'})" % (
        os.path.join(paths.node, 'node_modules', NODE_PACKAGE), port, paths.backend)
    return ['node', '-e', script]


def has_node(paths):
    if not shutil.which('node') or not shutil.which('npm'):
        return 'apt-get install nodejs npm'
    if not os.path.isdir(os.path.join(paths.node, 'node_modules', NODE_PACKAGE)):
        r = subprocess.run(['npm', 'install', '--silent', '--ignore-scripts', '--prefix', paths.node,
                            NODE_PACKAGE + '@1.0.7'], capture_output=True, text=True, check=False)
        if r.returncode != 0:
            return 'npm install %s failed' % NODE_PACKAGE
    return None


SLOW_NODE = {'up-64': 500, 'up-1k': 40, 'up-16k': 8, 'up-256k': 8, 'down-64': 10, 'down-1k': 10, 'down-16k': 4,
             'down-256k': 4, 'both-16k': 8, 'echo': 4, 'connect': 10}
SLOW_WEBSOCKIFY = {'up-64': 4000, 'up-1k': 200, 'up-16k': 16, 'up-256k': 16, 'down-64': 20, 'down-1k': 20, 'down-16k': 8,
                   'down-256k': 8, 'both-16k': 16, 'echo': 16, 'connect': 100}

PEERS = {p.name: p for p in [
    Peer('wsbridge', 'wsbridge', wsbridge, 18701, needs=has_wsbridge),
    Peer('floor', 'the floor', floor, 18702),
    Peer('floor-splice', 'the floor, splice', floor_splice, 18703),
    Peer('haproxy', 'HAProxy TCP', haproxy, 18704, ws=False, needs=command('haproxy', 'haproxy')),
    Peer('haproxy-splice', 'HAProxy TCP, splice', haproxy_splice, 18705, ws=False, needs=command('haproxy', 'haproxy')),
    Peer('haproxy-auto', 'HAProxy TCP, splice-auto', haproxy_auto, 18706, ws=False, needs=command('haproxy', 'haproxy')),
    Peer('nginx', 'nginx stream', nginx, 18707, ws=False, needs=has_nginx),
    Peer('node', 'node websockify', node, 18708, most=1000, slow=SLOW_NODE, needs=has_node),
    Peer('websockify', 'websockify', websockify, 18709, most=200, slow=SLOW_WEBSOCKIFY,
         needs=command('websockify', 'websockify')),
    Peer('wsbridge-tls', 'wsbridge TLS', wsbridge_tls, 18711, tls=True, needs=has_wsbridge_tls),
    Peer('haproxy-tls', 'HAProxy TLS', haproxy_tls, 18714, ws=False, tls=True, needs=command('haproxy', 'haproxy')),
    Peer('nginx-tls', 'nginx stream TLS', nginx_tls, 18717, ws=False, tls=True, needs=has_nginx),
    Peer('stunnel', 'stunnel', stunnel, 18718, ws=False, tls=True, most=500, needs=command('stunnel', 'stunnel4')),
]}
