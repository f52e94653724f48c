/*
 * An application's client for `client-rolls --client js`: each line in is a text to write, each line out what came of it. Beside
 * that it reads all the time. At the end of its input it says what the reads and the token met, and ends.
 */
import { createInterface } from "node:readline";
import { LeaderClient } from "../dist/index.js";

const betweenReads = 50;
const nodes = process.argv.slice(2);
const token = "for the cluster only";

/** @type {{ reads: Record<string, number>, failedReads: string[], withToken: number, leaks: string[] }} */
const report = { reads: {}, failedReads: [], withToken: 0, leaks: [] };

const client = new LeaderClient({
  nodes,
  addIdempotencyKey: true,
  fetch: (input, init) => {
    // Stands between the routing and the network.
    const { origin } = new URL(String(input));
    if ([...new Headers(init?.headers).values()].some((value) => value.includes(token))) {
      report.withToken++;
      if (!nodes.includes(origin)) {
        report.leaks.push(origin);
      }
    }

    return fetch(input, init);
  },
});
const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };

/** @param {string} text */
async function write(text) {
  try {
    const answer = await client.fetch("/notes", { method: "POST", headers, body: JSON.stringify({ text }) });
    return { status: answer.status, body: await answer.text(), node: answer.headers.get("X-Base-Node") };
  } catch (error) {
    return { error: String(error) };
  }
}

async function read() {
  try {
    const answer = await client.fetch("/notes?limit=1", { headers });
    await answer.arrayBuffer();
    if (!answer.ok) {
      throw new Error(`a read was answered ${answer.status}`);
    }

    const node = answer.headers.get("X-Base-Node") ?? "";
    report.reads[node] = (report.reads[node] ?? 0) + 1;
  } catch (error) {
    report.failedReads.push(String(error));
  }
}

let over = false;
const reading = (async () => {
  while (!over) {
    await Promise.all([read(), new Promise((resolve) => setTimeout(resolve, betweenReads))]);
  }
})();

const underWay = new Set();
for await (const line of createInterface({ input: process.stdin })) {
  const { id, text } = JSON.parse(line);
  const writing = write(text).then((came) => {
    process.stdout.write(`${JSON.stringify({ id, ...came })}\n`);
    underWay.delete(writing);
  });
  underWay.add(writing);
}

await Promise.all(underWay);
over = true;
await reading;
process.stdout.write(`${JSON.stringify({ id: -1, ...report })}\n`);
