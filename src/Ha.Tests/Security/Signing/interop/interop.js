// Reads one task per line from standard input and answers each with one line: see InteropTests.cs.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { createSigner, createVerifier, httpbis } from 'http-message-signatures';

const params = ['created', 'keyid', 'alg', 'tag'];
const requestFields = ['@method', '@path', 'content-digest'];
const replyFields = ['@status', 'content-digest', '"signature";req;key="ha"'];

function digest(body) {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}

async function sign(task, fields, message, request) {
  const signed = await httpbis.signMessage(
    {
      key: createSigner(task.signWith, task.alg, task.keyid),
      name: 'ha',
      fields,
      params,
      paramValues: { tag: 'ha' },
    },
    { ...message, headers: { 'content-digest': digest(task.body) } },
    request,
  );
  return signed.headers;
}

async function verify(task, fields, message, request) {
  if (digest(task.body) !== task.headers['content-digest']) {
    return { valid: false };
  }

  const valid = await httpbis.verifyMessage(
    {
      keyLookup: ({ keyid }) =>
        keyid === task.keyid
          ? { id: keyid, algs: [task.alg], verify: createVerifier(task.verifyWith, task.alg) }
          : null,
      requiredFields: fields,
      requiredParams: params,
      tolerance: 60,
    },
    message,
    request,
  );
  return { valid: valid === true };
}

const actions = {
  signRequest: (task) => sign(task, requestFields, { method: 'POST', url: task.url }),
  signReply: (task) => sign(task, replyFields, { status: task.status }, task.request),
  verifyRequest: (task) =>
    verify(task, requestFields, { method: 'POST', url: task.url, headers: task.headers }),
  verifyReply: (task) =>
    verify(task, ['@status', 'content-digest', 'signature'], { status: task.status, headers: task.headers }, task.request),
};

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  let answer;
  try {
    answer = await actions[task.action](task);
  } catch (e) {
    answer = { valid: false, error: String(e) };
  }

  console.log(JSON.stringify(answer));
}
