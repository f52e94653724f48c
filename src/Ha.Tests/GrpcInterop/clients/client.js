// gRPC's interoperability cases with grpc-js. Arguments: host:port, the server's name, a PEM file to trust.
// Prints a line for each case, which GrpcInteropTests.cs compares. Messages are written by hand.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// Installed beside the clients of the health tests.
const require = createRequire(join(import.meta.dirname, '../../Endpoints/GrpcHealth/clients/'));
const { Client, Metadata, credentials, status: codes } = require('@grpc/grpc-js');

const service = '/grpc.testing.TestService';
const sizes = [31415, 9, 2653, 58979];
const payloads = [27182, 8, 1828, 45904];
const special = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
const patience = 60_000;
const same = (bytes) => bytes;

const [target, name, file] = process.argv.slice(2);
const options = {
  'grpc.ssl_target_name_override': name,
  'grpc.default_authority': name,
  'grpc.enable_http_proxy': 0,
  'grpc.max_receive_message_length': -1,
};
const trusted = credentials.createSsl(readFileSync(file));
const plain = new Client(target, trusted, options);
const gzip = new Client(target, trusted, { ...options, 'grpc.default_compression_algorithm': 2 });

function number(value) {
  const out = [];
  for (; value > 127; value >>>= 7) {
    out.push((value & 127) | 128);
  }

  return Buffer.from([...out, value]);
}

// A field of a message: a number, or bytes.
function field(key, value) {
  return typeof value === 'number'
    ? Buffer.concat([number(key << 3), number(value)])
    : Buffer.concat([number((key << 3) | 2), number(value.length), value]);
}

// The first field: a number, or bytes.
function read(message) {
  let [at, value, shift] = [1, 0, 0];
  for (;; shift += 7) {
    value |= (message[at] & 127) << shift;
    if (message[at++] < 128) {
      return (message[0] & 7) === 0 ? value : message.subarray(at, at + value);
    }
  }
}

const nothing = Buffer.alloc(0);
const payload = (size, key = 3) => field(key, field(2, Buffer.alloc(size)));
const status = (message) => field(7, Buffer.concat([field(1, 2), field(2, Buffer.from(message))]));
const large = () => [field(2, 314159), payload(271828)];

function output(size, request = 0, interval = 0) {
  return Buffer.concat([field(2, Buffer.concat([field(1, size), interval ? field(2, interval) : nothing])), payload(request)]);
}

function size(message) {
  const body = read(message);
  return body.length ? read(body).length : 0;
}

// What became of a call: its code's name, message, metadata of both ends, and the answers.
function outcome(call, timeout = patience) {
  return new Promise((resolve) => {
    const seen = { answers: [] };
    call.on('metadata', (metadata) => { seen.initial = metadata; });
    call.on('data', (answer) => seen.answers.push(answer));
    call.on('error', () => {});
    call.on('status', (end) => resolve({ ...seen, code: codes[end.code], details: end.details, trailing: end.metadata }));
    setTimeout(() => resolve({ ...seen, code: 'NOTHING' }), timeout).unref();
  });
}

async function unary(request, { path = `${service}/UnaryCall`, metadata = new Metadata(), client = plain } = {}) {
  let answer;
  const ended = await outcome(client.makeUnaryRequest(
    path, same, same, Buffer.concat([request].flat()), metadata, { deadline: Date.now() + patience }, (_, value) => { answer = value; }));
  return { ...ended, answer };
}

const duplex = (metadata = new Metadata(), timeout = patience) =>
  plain.makeBidiStreamRequest(`${service}/FullDuplexCall`, same, same, metadata, { deadline: Date.now() + timeout });

const next = (call) => new Promise((resolve) => { call.once('data', resolve); });

const compressed = (ended) => String(ended.trailing.get('interop-compressed')[0]).split(' ');

const cases = {
  async empty_unary() {
    const { code, answer } = await unary(nothing, { path: `${service}/EmptyCall` });
    return `${code} ${answer.length}`;
  },

  async large_unary() {
    const { code, answer } = await unary(large());
    return `${code} ${size(answer)}`;
  },

  async huge_unary() {
    const { code, answer } = await unary([field(2, 6291456), payload(6291456)]);
    return `${code} ${size(answer)}`;
  },

  async client_streaming() {
    let sum;
    const call = plain.makeClientStreamRequest(
      `${service}/StreamingInputCall`, same, same, new Metadata(), { deadline: Date.now() + patience }, (_, answer) => { sum = answer; });
    payloads.forEach((bytes) => call.write(payload(bytes, 1)));
    call.end();
    const { code } = await outcome(call);
    return `${code} ${read(sum)}`;
  },

  async server_streaming() {
    const request = Buffer.concat(sizes.map((bytes) => field(2, field(1, bytes))));
    const { code, answers } = await outcome(plain.makeServerStreamRequest(
      `${service}/StreamingOutputCall`, same, same, request, new Metadata(), { deadline: Date.now() + patience }));
    return `${code} ${answers.map(size).join(' ')}`;
  },

  async ping_pong() {
    const call = duplex();
    const ended = outcome(call);
    for (const [i, bytes] of sizes.entries()) {
      call.write(output(bytes, payloads[i]));
      await next(call);
    }

    call.end();
    const { code, answers } = await ended;
    return `${code} ${answers.map(size).join(' ')}`;
  },

  async empty_stream() {
    const call = duplex();
    call.end();
    const { code, answers } = await outcome(call);
    return [code, ...answers].join(' ');
  },

  async cancel_after_begin() {
    const call = plain.makeClientStreamRequest(
      `${service}/StreamingInputCall`, same, same, new Metadata(), { deadline: Date.now() + patience }, () => {});
    const ended = outcome(call);
    call.cancel();
    return (await ended).code;
  },

  async cancel_after_first_response() {
    const call = duplex();
    const ended = outcome(call);
    call.write(output(31415, 27182));
    const first = size(await next(call));
    call.cancel();
    return `${(await ended).code} ${first}`;
  },

  async timeout_on_sleeping_server() {
    const call = duplex(new Metadata(), 200);
    call.write(output(1, 27182, 60_000_000));
    return (await outcome(call)).code;
  },

  async status_code_and_message() {
    const one = await unary(status('test status message'));
    const call = duplex();
    call.end(status('test status message'));
    const stream = await outcome(call);
    return `${one.code} ${one.details}; ${stream.code} ${stream.details}`;
  },

  async special_status_message() {
    const { code, details } = await unary(status(special));
    return `${code} ${Buffer.from(details).toString('hex')}`;
  },

  async custom_metadata() {
    const metadata = new Metadata();
    metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
    metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from('ababab', 'hex'));
    const echoed = ({ initial, trailing }) =>
      `${initial.get('x-grpc-test-echo-initial')} ${trailing.get('x-grpc-test-echo-trailing-bin')[0].toString('hex')}`;
    const call = duplex(metadata);
    call.end(output(314159, 271828));
    const stream = await outcome(call);
    return `${echoed(await unary(large(), { metadata }))}; ${echoed(stream)}`;
  },

  async unimplemented_method() {
    return (await unary(nothing, { path: `${service}/UnimplementedCall` })).code;
  },

  async unimplemented_service() {
    return (await unary(nothing, { path: '/grpc.testing.UnimplementedService/UnimplementedCall' })).code;
  },

  async client_compressed_unary() {
    const expected = [...large(), field(8, field(1, 1))];
    const refused = await unary(expected);
    const packed = await unary(expected, { client: gzip });
    const bare = await unary([...large(), field(8, nothing)]);
    return `${refused.code}; ${packed.code} ${size(packed.answer)} ${compressed(packed)[0]}; ${bare.code} ${size(bare.answer)} ${compressed(bare)[0]}`;
  },

  async server_compressed_unary() {
    const packed = await unary([...large(), field(6, field(1, 1))]);
    const bare = await unary([...large(), field(6, nothing)]);
    return `${packed.code} ${size(packed.answer)} ${compressed(packed)[1]}; ${bare.code} ${size(bare.answer)} ${compressed(bare)[1]}`;
  },

  async many_streams() {
    const calls = Array.from({ length: 150 }, () => duplex());
    const ended = calls.map((call) => outcome(call));
    calls.forEach((call) => call.write(output(9, 8)));
    const answered = (await Promise.all(calls.map(next))).filter((answer) => size(answer) === 9).length;
    calls.forEach((call) => call.end());
    const all = await Promise.all(ended);
    return `${[...new Set(all.map(({ code }) => code))].sort().join(' ')} ${answered}`;
  },
};

for (const [title, run] of Object.entries(cases)) {
  try {
    console.log(`${title} ${await run()}`);
  } catch (failure) {
    console.log(`${title} failed: ${String(failure).replace(/\s+/g, ' ')}`);
  }
}

// Deadlines of calls that are over would keep it alive.
process.stdout.write('', () => process.exit());
