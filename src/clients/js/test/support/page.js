import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Undefined where no Chromium is installed. */
export const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

const patience = 40_000;
const switches = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** It asks for one piece of work after the other, so that a test needs no other way into the browser. */
const html = `<!doctype html><title>page</title><script type="module">
  import * as ha from "/dist/index.js";
  for (;;) {
    const { source, args } = await (await fetch("/next")).json();
    let result;
    try {
      result = { value: await (0, eval)("(" + source + ")")(ha, ...args) };
    } catch (error) {
      result = { error: String(error?.stack ?? error) };
    }
    await fetch("/result", { method: "POST", body: JSON.stringify(result) });
  }
</script>`;

/** A page in a headless browser, which runs the package as it was built. */
export class Page {
  origin = "";
  profile = "";
  server = createServer((request, response) => this.#serve(request, response));

  /** @type {import("node:child_process").ChildProcess | undefined} */
  process;

  /** @type {((work: object) => void) | undefined} */
  #idle;
  /** @type {object[]} */
  #work = [];
  /** @type {((result: { value?: any, error?: string }) => void)[]} */
  #waiting = [];

  static async open() {
    const page = new Page();
    page.server.listen(0, "127.0.0.1");
    await once(page.server, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (page.server.address());
    page.origin = `http://127.0.0.1:${port}`;
    page.profile = await mkdtemp(join(tmpdir(), "ha-chromium-"));

    // A group of its own, to be ended as a whole.
    page.process = spawn(/** @type {string} */ (chromium), [...switches, `--user-data-dir=${page.profile}`, "--remote-debugging-port=0", page.origin], {
      detached: true,
      stdio: "ignore",
    });
    return page;
  }

  /**
   * Runs a function in the page; it gets the package and the arguments, and cannot see anything else.
   *
   * @param {(ha: typeof import("../../dist/index.js"), ...args: any[]) => unknown} work
   * @param {unknown[]} args
   */
  async run(work, ...args) {
    const result = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("The page did not answer.")), patience);
      this.#waiting.push(({ value, error }) => {
        clearTimeout(timer);
        error === undefined ? resolve(value) : reject(new Error(`In the page: ${error}`));
      });
    });
    const order = { source: work.toString(), args };
    this.#idle ? this.#idle(order) : this.#work.push(order);
    return /** @type {Promise<any>} */ (result);
  }

  async close() {
    const { process: browser } = this;
    if (browser?.pid && browser.exitCode === null) {
      const ended = once(browser, "exit");
      process.kill(-browser.pid, "SIGKILL");
      await ended;
    }

    this.server.closeAllConnections();
    this.server.close();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #serve(request, response) {
    const { url = "" } = request;
    if (url === "/next") {
      /** @param {object} work */
      const give = (work) => {
        this.#idle = undefined;
        response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" }).end(JSON.stringify(work));
      };
      const next = this.#work.shift();
      next ? give(next) : (this.#idle = give);
    } else if (url === "/result") {
      const parts = [];
      for await (const part of request) {
        parts.push(part);
      }

      response.writeHead(204).end();
      this.#waiting.shift()?.(JSON.parse(Buffer.concat(parts).toString()));
    } else if (/^\/dist\/[a-z-]+\.js$/.test(url)) {
      response.writeHead(200, { "Content-Type": "text/javascript" }).end(await readFile(new URL(`../..${url}`, import.meta.url)));
    } else {
      response.writeHead(url === "/" ? 200 : 404, { "Content-Type": "text/html" }).end(html);
    }
  }
}
