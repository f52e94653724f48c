// gRPC for Node.js, which has no health checking of its own: it watches each node and calls the one that serves.
// Arguments: a PEM file to trust, then id=host:port of the leader, of the node that will lead after it, and of the third.
// Prints one line for each thing that it learns; the test kills the leader in between. See GrpcClientsTests.cs.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Metadata, credentials, status } from '@grpc/grpc-js';

const patience = 60_000;
const trusted = credentials.createSsl(readFileSync(process.argv[2]));
const same = (bytes) => bytes;
const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const waiting = new Metadata({ waitForReady: true });

const nodes = process.argv.slice(3).map((argument) => argument.split('=')).map(([id, target]) => ({
  id,
  client: new Client(target, trusted, { 'grpc.ssl_target_name_override': 'localhost', 'grpc.enable_http_proxy': 0 }),
  leads: false,
}));

function health(service) {
  return service ? Buffer.concat([Buffer.from([10, service.length]), Buffer.from(service)]) : Buffer.alloc(0);
}

// Resolves to [error or null, message, trailers].
function call(client, path, message, metadata = waiting) {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + patience };
    let answer;
    const running = client.makeUnaryRequest(path, same, same, message, metadata, options, (_, value) => {
      answer = value;
    });
    running.on('status', (end) => resolve([end.code === status.OK ? null : end, answer, end.metadata]));
  });
}

async function check(node, service) {
  const [error, answer] = await call(node.client, '/grpc.health.v1.Health/Check', health(service));
  return error ? status[error.code] : statuses[answer[1]];
}

// Keeps `leads` true while the node says so; a stream that ends is opened again, as clients do.
async function follow(node) {
  for (;;) {
    const options = { deadline: Infinity };
    const stream = node.client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', same, same, health('quis.RaftLeader'), waiting, options);
    await new Promise((resolve) => {
      stream.on('data', (message) => {
        node.leads = message[1] === 1;
        console.log(`watch ${node.id} ${statuses[message[1]]}`);
      });
      stream.on('error', (error) => {
        node.leads = false;
        console.log(`watch ${node.id} ${status[error.code]}`);
        resolve();
      });
      stream.on('end', resolve);
    });
    await sleep(100);
  }
}

// Step 1: what a follower says, and what it passes on.
console.log(`check ${await check(nodes[1], 'ha.Leader')} ${await check(nodes[1], '')} ${await check(nodes[1], 'nobody')}`);
for (const text of ['hello', 'fail']) {
  const [error, answer, trailers] = await call(nodes[1].client, '/test.Echo/Say', Buffer.from(text));
  const said = error ? `${status[error.code]}, ${error.details}` : `${answer}, OK`;
  console.log(`say ${said}, echo-end ${trailers.get('echo-end')}`);
}

// Step 2: calls to whoever serves, until that is another node.
nodes.forEach(follow);
let last;
while (last !== `${nodes[1].id} direct x`) {
  const leader = nodes.find((node) => node.leads);
  if (leader) {
    const [error, answer] = await call(leader.client, '/test.Echo/Say', Buffer.from('x'), new Metadata());
    if (error) {
      console.log(`call ${status[error.code]}`);
    } else if (String(answer) !== last) {
      last = String(answer);
      console.log(`calls ${last}`);
    }
  }
  await sleep(10);
}

process.exit(0);
