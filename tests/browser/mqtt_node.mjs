// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the wsbridge authors
//
// mqtt.js under node: subscribes, publishes small and large, gets back what was published. {url}
import { randomBytes } from "node:crypto";
import mqtt from "mqtt";
import { args } from "./lib.mjs";

const client = await mqtt.connectAsync(args.url, { connectTimeout: 5000, reconnectPeriod: 0 });
const messages = [Buffer.from("hello"), Buffer.alloc(0), randomBytes(300000)];
const got = [];
const all = new Promise((resolve, reject) => {
  client.on("message", (topic, payload) => {
    got.push(payload);
    if (got.length === messages.length)
      resolve();
  });
  client.on("error", reject);
  setTimeout(() => reject(new Error(`only ${got.length} of ${messages.length} came`)), 15000).unref();
});
await client.subscribeAsync("wsbridge/test", { qos: 1 });
for (const m of messages)
  await client.publishAsync("wsbridge/test", m, { qos: 1 });
await all;
messages.forEach((m, i) => {
  if (!m.equals(got[i]))
    throw new Error(`message ${i} differs`);
});
const protocol = client.stream.socket?.protocol ?? client.stream.ws?.protocol ?? null;
await client.endAsync();
console.log(JSON.stringify({ messages: got.length, protocol }));
