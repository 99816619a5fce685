/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The demo page: one WebSocket for the conversation, and now and then a second one, to the echo service, for measuring.
 * Whatever comes from the network is put into the page as text only.
 *
 * ?path=/service chooses the path at the start, ?echo=/path where the echo service is.
 */
"use strict";

const ECHO_PATH = new URLSearchParams(location.search).get("echo") || "/echo";
const ENTRIES_MAX = 500; /* lines kept in the log */
const SHOWN_MAX = 8192; /* bytes shown of one message */
const PINGS = 100;
const PING_BYTES = 32;
const MEASURE_TIMEOUT = 10000; /* ms */

const CLOSE_NAMES = {
  1000: "normal", 1001: "going away", 1002: "protocol error", 1003: "unsupported data", 1005: "no code",
  1006: "no Close frame", 1007: "invalid data", 1008: "policy", 1009: "too big", 1011: "server or backend failure",
  1012: "restart", 1013: "try again later", 1015: "TLS failure",
};

const element = (id) => document.getElementById(id);
const encoder = new TextEncoder();

/* --- text ------------------------------------------------------------------------------------------------------- */

function formatBytes(n) {
  if (n < 1024)
    return `${n} B`;
  for (const unit of ["KiB", "MiB"]) {
    n /= 1024;
    if (n < 1024)
      return `${n.toFixed(1)} ${unit}`;
  }
  return `${(n / 1024).toFixed(1)} GiB`;
}

function formatMs(ms) {
  return ms < 10 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(1)} ms`;
}

/* Control characters become their pictures, so an escape sequence is seen and does nothing. */
function visible(text) {
  return text.replace(/\r\n/g, "\n").replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g,
    (c) => c === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0)));
}

function hexDump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    const ascii = row.map((b) => b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : ".").join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(47)}  ${ascii}`);
  }
  return lines.join("\n");
}

/* --- log -------------------------------------------------------------------------------------------------------- */

const log = {
  entries: [],

  push(entry) {
    const box = element("log");
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    this.entries.push(entry);
    box.append(entry.row);
    if (this.entries.length > ENTRIES_MAX)
      this.entries.shift().row.remove();
    if (atEnd)
      box.scrollTop = box.scrollHeight;
  },

  info(text, failed) {
    const row = document.createElement("div");
    row.className = failed ? "info failed" : "info";
    row.textContent = text;
    this.push({row});
  },

  message(direction, bytes, text, note) {
    const row = document.createElement("div");
    row.className = direction;
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.textContent = direction === "up" ? "›" : "‹";
    mark.setAttribute("aria-label", direction === "up" ? "sent" : "received");
    const body = document.createElement("pre");
    const side = document.createElement("span");
    side.className = "note";
    side.textContent = note;
    row.append(mark, body, side);
    const more = bytes.length > SHOWN_MAX ? `\n… ${formatBytes(bytes.length - SHOWN_MAX)} more` : "";
    const entry = {row, body, bytes: bytes.slice(0, SHOWN_MAX), text: visible(text.slice(0, SHOWN_MAX)), more};
    this.show(entry);
    this.push(entry);
  },

  show(entry) {
    if (entry.body)
      entry.body.textContent = (element("hex").checked ? hexDump(entry.bytes) : entry.text) + entry.more;
  },

  clear() {
    for (const entry of this.entries)
      entry.row.remove();
    this.entries = [];
  },
};

/* --- conversation ----------------------------------------------------------------------------------------------- */

let socket = null;
let decoder = null; /* for binary messages: a character may be cut between two of them */
let sentAt = 0; /* when the message was sent whose first answer is awaited, or 0 */
let sent = 0;
let received = 0;

/* Throws on a path that leaves this server. */
function socketUrl(path) {
  const url = new URL(path, location.href);
  if (url.host !== location.host)
    throw new Error("the path must be on this server");
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}

function showState(state, text) {
  element("state").dataset.state = state;
  element("state").textContent = text;
  element("connect").textContent = socket ? "Disconnect" : "Connect";
  element("path").disabled = socket !== null;
  element("line").disabled = element("send").disabled = state !== "open";
}

function showCounts() {
  element("sent").textContent = formatBytes(sent);
  element("received").textContent = formatBytes(received);
}

function closeText(event, wasOpen) {
  const name = CLOSE_NAMES[event.code] ? ` (${CLOSE_NAMES[event.code]})` : "";
  const reason = event.reason ? `: ${event.reason}` : "";
  return wasOpen ? `closed ${event.code}${name}${reason}` : `refused or out of reach, ${event.code}${name}${reason}`;
}

function receive(data) {
  const first = sentAt ? performance.now() - sentAt : 0;
  const bytes = typeof data === "string" ? encoder.encode(data) : new Uint8Array(data);
  const text = typeof data === "string" ? data : decoder.decode(bytes, {stream: true});
  received += bytes.length;
  let note = `${typeof data === "string" ? "text" : "binary"}, ${formatBytes(bytes.length)}`;
  if (sentAt) {
    note += `, ${formatMs(first)}`;
    element("answer").textContent = formatMs(first);
    sentAt = 0;
  }
  log.message("down", bytes, text, note);
  showCounts();
}

function connect() {
  const path = element("path").value;
  let mine;
  try {
    mine = new WebSocket(socketUrl(path));
  } catch (error) {
    log.info(`${path}: ${error.message}`, true);
    showState("failed", error.message);
    return;
  }
  let wasOpen = false;
  socket = mine;
  decoder = new TextDecoder();
  sent = received = sentAt = 0;
  element("answer").textContent = "–";
  mine.binaryType = "arraybuffer";
  mine.onopen = () => {
    wasOpen = true;
    log.info(`connected to ${path}`);
    showState("open", `connected to ${path}`);
    element("line").focus();
  };
  mine.onmessage = (event) => receive(event.data);
  mine.onclose = (event) => {
    socket = null;
    const text = closeText(event, wasOpen);
    const failed = !wasOpen || event.code !== 1000 && event.code !== 1005;
    log.info(text, failed);
    showState(failed ? "failed" : "closed", text);
  };
  showState("connecting", `connecting to ${path}`);
  showCounts();
}

function sendLine() {
  const ending = {crlf: "\r\n", lf: "\n"}[element("ending").value] || "";
  const text = element("line").value + ending;
  const bytes = encoder.encode(text);
  const type = element("type").value;
  sentAt = performance.now();
  socket.send(type === "text" ? text : bytes);
  sent += bytes.length;
  log.message("up", bytes, text, `${type}, ${formatBytes(bytes.length)}`);
  showCounts();
  element("line").value = "";
}

/* --- round-trip time -------------------------------------------------------------------------------------------- */

/* One ping after the other, on a connection of its own: the times in ms. */
function measure() {
  return new Promise((resolve, reject) => {
    const probe = new WebSocket(socketUrl(ECHO_PATH));
    const ping = crypto.getRandomValues(new Uint8Array(PING_BYTES));
    const times = [];
    let back = 0;
    let start = 0;
    const timer = setTimeout(() => fail("no answer in time"), MEASURE_TIMEOUT);
    function fail(text) {
      clearTimeout(timer);
      probe.onclose = null;
      probe.close();
      reject(new Error(text));
    }
    function next() {
      back = 0;
      start = performance.now();
      probe.send(ping);
    }
    probe.binaryType = "arraybuffer";
    probe.onopen = next;
    probe.onmessage = (event) => {
      back += event.data.byteLength;
      if (!(event.data instanceof ArrayBuffer) || back > PING_BYTES) {
        fail("not an echo");
      } else if (back === PING_BYTES) {
        times.push(performance.now() - start);
        if (times.length < PINGS) {
          next();
        } else {
          clearTimeout(timer);
          probe.onclose = null;
          probe.close(1000);
          resolve(times);
        }
      }
    };
    probe.onclose = (event) => fail(closeText(event, times.length > 0));
  });
}

async function showMeasure() {
  const out = element("rtt");
  element("measure").disabled = true;
  out.textContent = "measuring …";
  try {
    const times = (await measure()).sort((a, b) => a - b);
    const median = times[times.length >> 1];
    out.textContent = `min ${formatMs(times[0])}, median ${formatMs(median)}, max ${formatMs(times[times.length - 1])}`;
    out.title = `${times.length} pings of ${PING_BYTES} bytes to ${ECHO_PATH}`;
  } catch (error) {
    out.textContent = `${ECHO_PATH}: ${error.message}`;
  }
  element("measure").disabled = false;
}

/* --- start ------------------------------------------------------------------------------------------------------ */

element("path").value = new URLSearchParams(location.search).get("path") || ECHO_PATH;
element("connection").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket)
    socket.close(1000);
  else
    connect();
});
element("message").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket && socket.readyState === WebSocket.OPEN)
    sendLine();
});
element("hex").addEventListener("change", () => log.entries.forEach((entry) => log.show(entry)));
element("clear").addEventListener("click", () => log.clear());
element("measure").addEventListener("click", showMeasure);
