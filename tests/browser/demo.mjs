// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the wsbridge authors
//
// The page that is built into the program: types to the service and sees its answer, and measures. {url, line, shot}
import { args, until, withPage } from "./lib.mjs";

await withPage({ viewport: { width: 900, height: 640 } }, async (page) => {
  await page.goto(args.url);
  await page.locator("#connect").click();
  await page.locator('#state[data-state="open"]').waitFor();
  const answers = () => page.locator("#log .down pre").allTextContents();
  for (const type of ["text", "binary"]) {
    await page.locator("#type").selectOption(type);
    await page.locator("#line").fill(args.line);
    await page.locator("#line").press("Enter");
  }
  await until("the answers", async () => (await answers()).join("").split(args.line).length === 3);
  await page.locator("#measure").click();
  await until("the round-trip time", async () => /median [\d.]+ ms/.test(await page.locator("#rtt").textContent()));
  if (args.shot)
    await page.screenshot({ path: args.shot });
  const rtt = await page.locator("#rtt").textContent();
  await page.locator("#connect").click();
  await page.locator('#state[data-state="closed"]').waitFor();
  return { rtt, answers: await answers(), state: await page.locator("#state").textContent() };
});
