'use strict';
// Fetches this page again and takes over what changed. The server renders, so there is one place that encodes;
// changing only what differs keeps focus, selection and scroll position.
(() => {
  const periodMs = 1000;
  const stale = document.getElementById('stale');
  let answeredAt = new Date();
  let lease = null;

  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType === Node.TEXT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const children = [...fresh.childNodes];
    while (old.childNodes.length > children.length) old.lastChild.remove();
    children.forEach((child, i) => (i < old.childNodes.length ? morph(old.childNodes[i], child) : old.append(child)));
  }

  function startLease() {
    const bar = document.getElementById('lease');
    const text = document.getElementById('lease-left');
    lease = bar && text ? { bar, text, left: Number(bar.getAttribute('value')), since: performance.now() } : null;
  }

  // Between two answers the lease runs down; the next answer says whether it was renewed.
  function countDown() {
    if (!lease) return;
    const left = Math.max(0, lease.left - (performance.now() - lease.since));
    lease.bar.value = left;
    lease.text.textContent = (left / 1000).toFixed(1) + ' s';
  }

  async function refresh() {
    try {
      const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(4 * periodMs) });
      if (!answer.ok) throw new Error('status ' + answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      morph(document.getElementById('view'), fresh.getElementById('view'));
      document.title = fresh.title;
      answeredAt = new Date();
      stale.hidden = true;
      startLease();
    } catch {
      stale.textContent = 'This node does not answer. What you see is from ' + answeredAt.toLocaleTimeString() + '.';
      stale.hidden = false;
    }
  }

  async function run() {
    if (!document.hidden) await refresh();
    setTimeout(run, periodMs);
  }

  startLease();
  setInterval(countDown, 100);
  setTimeout(run, periodMs);
})();
