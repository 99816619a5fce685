// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the wsbridge authors
//
// What a page learns of an end: runs a small script per step in a page of wsbridge's and gives its results. {url, paths}
import { args, withPage } from "./lib.mjs";

await withPage({ ignore: /WebSocket connection to .* failed|favicon|404/ }, async (page) => {
  await page.goto(args.url);
  return await page.evaluate(async (paths) => {
    const one = (path) => new Promise((resolve) => {
      const ws = new WebSocket(new URL(path, location.href.replace(/^http/, "ws")));
      const seen = { opened: false, text: "" };
      ws.binaryType = "arraybuffer";
      ws.onopen = () => { seen.opened = true; };
      ws.onmessage = (e) => { seen.text += new TextDecoder().decode(e.data); };
      ws.onclose = (e) => resolve({ ...seen, code: e.code, reason: e.reason, clean: e.wasClean });
    });
    const out = {};
    for (const path of paths)
      out[path] = await one(path);
    return out;
  }, args.paths);
});
