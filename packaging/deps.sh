#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
#
# Installs what building (`deps.sh build`), testing (`test`), measuring (`bench`), making packages (`package`) or testing
# those (`package-test`) needs, from the system's own packages: apt-get on Debian and its kin, dnf on Fedora and its kin. Only
# what is missing is installed, and when nothing is missing no network is touched, so that the Makefile may call this
# before every build. Uses sudo when not root. On any other system it says what is needed and goes on: the build itself
# will tell what it misses.
set -eu

what=${1:-build}
case $what in
    build | test | bench | package | package-test) ;;
    *)
        echo "usage: $0 build|test|bench|package|package-test" >&2
        exit 64
        ;;
esac

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo > /dev/null 2>&1; then
        sudo "$@"
    else
        echo "deps: root or sudo is needed to run: $*" >&2
        exit 77
    fi
}

# A compiler or a node that came another way (a newer one, a vendor's) is as good as the package.
need_command() {
    command -v "$1" > /dev/null 2>&1 || echo "$2"
}

debian_packages() {
    need_command gcc gcc
    need_command make make
    echo libc6-dev libev-dev libyaml-dev libssl-dev pkg-config
    case $what in package | package-test) echo build-essential dpkg-dev debhelper fakeroot rpm ;; esac
    if [ "$what" = package-test ]; then
        echo lintian devscripts rpmlint mandoc git python3 python3-pytest python3-pytest-timeout
        # shells whose completions are read, and what a clean system is made, booted and put into a container with
        echo bash zsh fish shellcheck mmdebstrap systemd systemd-container uidmap buildah crun iproute2 util-linux
    fi
    case $what in test | bench) ;; *) return 0 ;; esac
    need_command node nodejs
    need_command npm npm
    need_command git git
    if [ "$what" = bench ]; then
        echo python3 strace valgrind openssl haproxy nginx-light libnginx-mod-stream stunnel4 websockify
        return 0
    fi
    # the tests' own tools
    echo python3 python3-pytest python3-pytest-timeout python3-pytest-xdist libcmocka-dev clang libclang-rt-14-dev llvm clang-format clang-tidy
    echo strace valgrind curl procps iproute2 util-linux
    # the real parts that are bridged to and from
    echo chromium chromium-driver novnc tigervnc-standalone-server xterm inetutils-telnetd openssh-server openssh-client
    echo mosquitto redis-server haproxy nginx-light stunnel4 websockify socat openssl systemd
}

fedora_packages() {
    need_command gcc gcc
    need_command make make
    echo glibc-devel libev-devel libyaml-devel openssl-devel pkgconf-pkg-config
    case $what in package | package-test) echo rpm-build systemd-rpm-macros git ;; esac
    [ "$what" != package-test ] || echo rpmlint mandoc
    case $what in test | bench) ;; *) return 0 ;; esac
    need_command node nodejs
    need_command npm nodejs-npm
    need_command git git
    if [ "$what" = bench ]; then
        echo python3 strace valgrind openssl haproxy nginx nginx-mod-stream stunnel python3-websockify
        return 0
    fi
    echo python3 python3-pytest python3-pytest-timeout python3-pytest-xdist libcmocka-devel clang compiler-rt llvm clang-tools-extra
    echo libasan libubsan libtsan strace valgrind curl procps-ng iproute util-linux
    echo chromium chromedriver novnc tigervnc-server xterm telnet-server openssh-server openssh-clients
    echo mosquitto redis haproxy nginx stunnel python3-websockify socat openssl systemd
}

if command -v apt-get > /dev/null 2>&1; then
    wanted=$(debian_packages | tr '\n' ' ')
    # shellcheck disable=SC2086 # one word for each package
    missing=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2> /dev/null |
        awk -v wanted="$wanted" '$1 == "installed" { have[$2] = 1 }
            END { n = split(wanted, w, " "); for (i = 1; i <= n; i++) if (!(w[i] in have)) printf "%s ", w[i] }')
    # nginx has several packages with one server in them.
    command -v nginx > /dev/null 2>&1 && missing=$(echo "$missing" | sed 's/nginx-light//')
    missing=$(echo "$missing" | xargs)
    [ -n "$missing" ] || exit 0
    echo "  DEPS  $missing"
    # Services that packages would start are not wanted on a developer's machine: the tests start their own.
    install_missing() {
        # shellcheck disable=SC2086
        as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends $missing
    }
    # The lists may be old or absent, as on a machine that has just been set up: then once more with new ones.
    install_missing > /dev/null 2>&1 || {
        as_root apt-get update -q
        install_missing
    }
elif command -v dnf > /dev/null 2>&1; then
    wanted=$(fedora_packages | tr '\n' ' ')
    missing=
    for p in $wanted; do
        rpm -q --whatprovides "$p" > /dev/null 2>&1 || missing="$missing $p"
    done
    [ -n "$missing" ] || exit 0
    echo "  DEPS $missing"
    # shellcheck disable=SC2086
    as_root dnf install -y -q --setopt=install_weak_deps=False $missing
else
    echo "deps: neither apt-get nor dnf here; needed for '$what':" >&2
    debian_packages >&2
fi
