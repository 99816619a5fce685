// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the wsbridge authors
//
// Debian's noVNC: connects, sees a picture, types into the remote xterm. {url, command, shot, insecure}
import { args, sleep, until, withPage } from "./lib.mjs";

await withPage({ insecure: args.insecure, viewport: { width: 880, height: 520 }, ignore: /favicon|404/ }, async (page) => {
  await page.goto(args.url);
  await page.waitForFunction(() => document.documentElement.classList.contains("noVNC_connected"));
  const canvas = page.locator("#noVNC_container canvas");
  await canvas.waitFor();
  const pixels = () => page.evaluate(() => {
    const c = document.querySelector("#noVNC_container canvas");
    const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    const seen = new Map();
    for (let i = 0; i < d.length; i += 4) {
      const v = d[i] << 16 | d[i + 1] << 8 | d[i + 2];
      seen.set(v, (seen.get(v) || 0) + 1);
    }
    return { width: c.width, height: c.height, colours: seen.size, top: Math.max(...seen.values()) };
  });
  await until("a picture", async () => (await pixels()).colours > 1);
  await canvas.click({ position: { x: 200, y: 200 } });
  await sleep(300);
  const before = await pixels();
  // Slowly: the remote side turns key events into text, and a shell that starts up may drop what comes too early.
  await page.keyboard.type(args.command, { delay: 20 });
  await page.keyboard.press("Enter");
  await until("the picture to change", async () => JSON.stringify(await pixels()) !== JSON.stringify(before));
  if (args.say) {
    for (const line of args.say) {
      await page.keyboard.type(line, { delay: 10 });
      await page.keyboard.press("Enter");
      await sleep(400);
    }
  }
  await page.mouse.move(860, 100);
  await sleep(300);
  if (args.shot)
    await page.screenshot({ path: args.shot });
  return await pixels();
});
