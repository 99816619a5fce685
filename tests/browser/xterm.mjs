// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the wsbridge authors
//
// xterm.js in a page of ours (pages/xterm.html): waits for a pattern on its screen, types, waits again.
// {url, steps: [{expect, type}], shot}
import { args, until, withPage } from "./lib.mjs";

await withPage({ viewport: { width: 900, height: 560 }, ignore: /favicon/ }, async (page) => {
  await page.goto(args.url);
  let screen = "";
  for (const step of args.steps) {
    await until(`${step.expect} on the screen`, async () => {
      screen = await page.evaluate(() => window.screenText());
      return new RegExp(step.expect).test(screen);
    }).catch((e) => { throw new Error(`${e.message}; it shows:\n${screen}`); });
    if (step.type) {
      await page.locator(".xterm-helper-textarea").focus();
      await page.keyboard.type(step.type, { delay: 5 });
    }
  }
  if (args.shot)
    await page.screenshot({ path: args.shot });
  return { screen, state: await page.evaluate(() => window.state) };
});
