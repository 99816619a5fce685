/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * Making sockets: options of a connection, and listening sockets. What is done with them afterwards is in
 * socket_stream.c and listener.c.
 */
#include "net/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTSENT_LOWAT (256 << 10) /* bytes; with a full pipe still under 1 MiB for a reader who does not read */
#define KEEPALIVE_AFTER 60        /* seconds */

/* --- options of a connection ---------------------------------------------------------------------------------------
 */

static bool set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

struct socket_options socket_session_options(double stall)
{
    return (struct socket_options){
        .notsent_lowat = NOTSENT_LOWAT,
        .keepalive = KEEPALIVE_AFTER,
        .user_timeout = stall < 86400 ? (unsigned)(stall * 1000) : 0,
    };
}

void socket_tune(int fd, const struct socket_options *opt)
{
    if (opt->send_buffer)
        (void)set_int(fd, SOL_SOCKET, SO_SNDBUF, opt->send_buffer);
    if (opt->receive_buffer)
        (void)set_int(fd, SOL_SOCKET, SO_RCVBUF, opt->receive_buffer);
    if (!set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1))
        return; /* not TCP: the rest would fail as well */
    (void)set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    if (opt->notsent_lowat)
        (void)set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, opt->notsent_lowat);
    if (opt->user_timeout)
        (void)set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)opt->user_timeout);
    if (opt->keepalive && set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1))
        (void)set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)opt->keepalive);
}

int socket_family(int fd)
{
    int family = AF_INET;
    socklen_t len = sizeof(family);

    (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
    return family;
}

/* --- listening -----------------------------------------------------------------------------------------------------
 */

static unsigned port_of(const struct addr *a)
{
    struct ip_port ip;

    addr_to_ip_port(a, &ip);
    return ip.port;
}

static void explain_bind(const struct addr *a, int err, char *why, size_t cap)
{
    unsigned port = port_of(a);

    switch (err) {
    case EADDRINUSE:
        snprintf(why, cap, "address already in use by another program");
        break;
    case EACCES:
        if (port > 0 && port < 1024)
            snprintf(why, cap, "port %u needs root or CAP_NET_BIND_SERVICE", port);
        else
            snprintf(why, cap, "no permission to create the socket there");
        break;
    case EADDRNOTAVAIL:
        snprintf(why, cap, "this machine has no such address");
        break;
    case ENOENT:
        snprintf(why, cap, "the directory of the socket does not exist");
        break;
    default:
        snprintf(why, cap, "cannot bind: %s", strerrordesc_np(err));
        break;
    }
}

static bool is_path(const struct addr *a)
{
    return a->u.sa.sa_family == AF_UNIX && a->u.un.sun_path[0] != '\0';
}

/* Nobody answers on a socket file whose program is gone: connecting to it is refused. Every other answer (it works, its
 * backlog is full, we may not, it is of another type) means that somebody could be there. */
static bool is_stale(const struct addr *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, &a->u.sa, a->len) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* The path is taken. Makes room when what stands there is a socket without a program; else explains. */
static bool clear_stale(const struct addr *a, char *why, size_t cap)
{
    struct stat st;

    if (lstat(a->u.un.sun_path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        snprintf(why, cap, "a file that is not a socket stands there; it is left alone");
        return false;
    }
    if (!is_stale(a)) {
        snprintf(why, cap, "address already in use by another program");
        return false;
    }
    if (unlink(a->u.un.sun_path) < 0 && errno != ENOENT) {
        snprintf(why, cap, "cannot replace the old socket: %s", strerrordesc_np(errno));
        return false;
    }
    return true;
}

void socket_remove_stale(const struct addr *a)
{
    struct stat st;

    if (is_path(a) && lstat(a->u.un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && is_stale(a))
        (void)unlink(a->u.un.sun_path);
}

/* The file gets its mode before anybody can connect, and is never wider than asked for in between: bind gives it the
 * descriptor's own mode less the umask (which is the process's, so we do not touch it), chmod adds what that took, and
 * listen comes last. */
static int bind_path(int fd, const struct addr *a, const struct listen_options *opt, char *why, size_t cap)
{
    if (opt->has_mode)
        (void)fchmod(fd, opt->mode & 0777);
    if (bind(fd, &a->u.sa, a->len) < 0) {
        if (errno != EADDRINUSE) {
            explain_bind(a, errno, why, cap);
            return -1;
        }
        if (!clear_stale(a, why, cap)) {
            errno = EADDRINUSE;
            return -1;
        }
        if (bind(fd, &a->u.sa, a->len) < 0) {
            explain_bind(a, errno, why, cap);
            return -1;
        }
    }
    if (opt->has_mode && chmod(a->u.un.sun_path, opt->mode & 0777) < 0) {
        snprintf(why, cap, "cannot set the mode of the socket: %s", strerrordesc_np(errno));
        return -1;
    }
    return 0;
}

static int bind_other(int fd, const struct addr *a, const struct listen_options *opt, char *why, size_t cap)
{
    int family = a->u.sa.sa_family;

    if (family != AF_UNIX) {
        (void)set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* connections of our last run may still be in TIME_WAIT */
        if (opt->reuse_port && !set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
            snprintf(why, cap, "cannot share the port between workers: %s", strerrordesc_np(errno));
            return -1;
        }
    }
    if (family == AF_INET6)
        (void)set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, opt->v6_only);
    if (bind(fd, &a->u.sa, a->len) < 0) {
        explain_bind(a, errno, why, cap);
        return -1;
    }
    return 0;
}

/* "Every address, of both families" is every IPv4 address where the system has no IPv6. */
static bool only_ipv4_left(const struct addr *a, const struct listen_options *opt, struct addr *out)
{
    if (errno != EAFNOSUPPORT || a->u.sa.sa_family != AF_INET6 || opt->v6_only ||
        !IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr))
        return false;
    return addr_parse_ip(SLICE("0.0.0.0"), ntohs(a->u.in6.sin6_port), out);
}

int socket_listen(const struct addr *a, const struct listen_options *opt, char *why, size_t cap)
{
    struct addr ipv4;
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && only_ipv4_left(a, opt, &ipv4))
        return socket_listen(&ipv4, opt, why, cap);
    if (fd < 0) {
        if (errno == EAFNOSUPPORT)
            snprintf(why, cap, "this system has no %s", a->u.sa.sa_family == AF_INET6 ? "IPv6" : "such sockets");
        else
            snprintf(why, cap, "cannot make a socket: %s", strerrordesc_np(errno));
        return -1;
    }
    int done = is_path(a) ? bind_path(fd, a, opt, why, cap) : bind_other(fd, a, opt, why, cap);
    if (done == 0 && listen(fd, opt->backlog > 0 ? opt->backlog : SOMAXCONN) < 0) {
        explain_bind(a, errno, why, cap); /* two wildcards may pass bind and meet here */
        done = -1;
    }
    if (done < 0) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}
