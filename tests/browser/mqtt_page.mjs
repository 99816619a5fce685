// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the wsbridge authors
//
// The browser build of mqtt.js in a page of ours (pages/mqtt.html): publishes to itself. {url}
import { args, until, withPage } from "./lib.mjs";

await withPage({ ignore: /favicon/ }, async (page) => {
  await page.goto(args.url);
  await until("the message to come back", () => page.evaluate(() => window.result || window.failure));
  const failure = await page.evaluate(() => window.failure);
  if (failure)
    throw new Error(failure);
  return await page.evaluate(() => window.result);
});
