// fetch-client.js URL BODY KEY TIMES: the same POST again and again; prints each status or error.
'use strict';
const [, , url, body, key, times] = process.argv;
const headers = { Authorization: 'Bearer t', 'Content-Type': 'text/plain', ...(key && { 'Idempotency-Key': key }) };

(async () => {
  for (let time = 0; time < Number(times); time++) {
    try {
      const answer = await fetch(url, { method: 'POST', headers, body: body || undefined });
      await answer.text();
      console.log(answer.status);
    } catch (error) {
      console.log(error.cause?.code ?? error.name);
    }
  }
})();
