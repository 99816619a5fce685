#!/bin/bash
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
#
# What the image's HEALTHCHECK runs: whether an HTTP request is answered, with anything but a server's error. bash speaks
# TCP by itself, so that no other program has to be in the image. WSBRIDGE_HEALTH is the address where the configuration
# listens, if that is not port 6080; a TLS port answers as well (with a readable 400).
set -u
address=${WSBRIDGE_HEALTH:-127.0.0.1:6080}
exec 3<> "/dev/tcp/${address%:*}/${address##*:}" || exit 1
printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
IFS= read -r -t 3 -u 3 line || exit 1
[[ $line == HTTP/1.[01]\ [234]* ]]
