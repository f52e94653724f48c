// Sends writes through a follower the way Node.js programs do and prints what came back, one JSON line a case. The streams
// have gRPC's content type, because that is what travels over HTTP/2 between the nodes.
'use strict';
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');

const [, , http2Url, http1Url] = process.argv;
const say = (name, result) => console.log(JSON.stringify({ name, ...result }));

function write(session, path, { chunks, abort }) {
  return new Promise(resolve => {
    const stream = session.request({ ':method': 'POST', ':path': path, te: 'trailers', 'content-type': 'application/grpc' });
    const result = { status: 0, body: '', trailers: {}, error: null };
    stream.setEncoding('utf8');
    stream.on('response', headers => { result.status = headers[':status']; });
    stream.on('trailers', trailers => { result.trailers = { ...trailers }; });
    stream.on('error', error => { result.error = error.code; });
    stream.on('close', () => resolve(result));
    // Each chunk waits for the echo of the one before: nothing on the way may collect them.
    let next = 0;
    const send = () => (next < chunks.length ? stream.write(chunks[next++]) : abort ? abort() : stream.end());
    stream.on('data', text => { result.body += text; send(); });
    send();
  });
}

function expectContinue(url) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', headers: { Expect: '100-continue', 'Transfer-Encoding': 'chunked' } });
    const result = { continued: false, body: '' };
    request.on('continue', () => { result.continued = true; request.write('one,'); request.end('two'); });
    request.on('response', response => {
      result.status = response.statusCode;
      response.setEncoding('utf8');
      response.on('data', text => { result.body += text; });
      response.on('end', () => resolve({ ...result, trailers: response.trailers }));
    });
    request.on('error', reject);
    request.flushHeaders();
  });
}

(async () => {
  const session = http2.connect(http2Url);
  const many = await Promise.all(Array.from({ length: 20 }, (_, i) => write(session, '/echo', { chunks: [`${i}a`, `${i}b`, `${i}c`] })));
  say('streams', { many });

  // The socket, not the stream: Node.js ends a stream's body before it resets it, and a whole body is no abort.
  const { port, hostname } = new URL(http2Url);
  const socket = net.connect(port, hostname);
  const broken = http2.connect(http2Url, { createConnection: () => socket });
  broken.on('error', () => {});
  say('client aborts', await write(broken, '/echo', { chunks: ['part'], abort: () => socket.destroy() }));

  say('leader aborts', await write(session, '/abort', { chunks: ['part'] }));
  session.close();
  say('expect', await expectContinue(`${http1Url}/echo`));
})();
