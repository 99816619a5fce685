// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the wsbridge authors
//
// What each page driver needs: a headless Chromium with a fresh profile, a page whose errors fail the run, and arguments
// as JSON in the environment. A driver prints one line of JSON at its end and exits 0, or fails with a message.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const args = JSON.parse(process.env.ARGS || "{}");

// Chromium keeps its sandbox wherever it can: root is where it cannot.
const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server"];

export async function withPage(options, use) {
  const profile = mkdtempSync(join(tmpdir(), "wsbridge-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    chromiumSandbox: process.getuid() !== 0,
    args: FLAGS,
    ignoreHTTPSErrors: Boolean(options.insecure), // the test's own authority
    viewport: options.viewport || { width: 1280, height: 800 },
    colorScheme: options.colorScheme || "light",
  });
  const problems = [];
  try {
    const page = context.pages()[0] || await context.newPage();
    page.setDefaultTimeout(20000);
    page.on("pageerror", (e) => problems.push(`page error: ${e.message}`));
    page.on("console", (m) => {
      if (process.env.VERBOSE || m.type() === "error")
        console.error(`console.${m.type()}: ${m.text()}`);
      if (m.type() === "error" && !(options.ignore && options.ignore.test(m.text())))
        problems.push(`console error: ${m.text()}`);
    });
    const result = await use(page);
    if (problems.length)
      throw new Error(problems.join("\n"));
    console.log(JSON.stringify(result ?? {}));
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

export async function until(what, test, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const got = await test();
    if (got)
      return got;
    if (Date.now() > end)
      throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(50);
  }
}
