// Live pages: whenever something has happened the page is read again, and what differs is drawn anew and nothing else,
// so that what somebody is typing stays. Silent while the page is hidden.
"use strict";
(() => {
  const root = document.querySelector("[data-live]");
  if (!root) return;
  const drawn = new WeakMap();
  const remember = (place) => place.querySelectorAll("[data-part]").forEach((part) => drawn.set(part, part.innerHTML));
  let stream = null, version = root.dataset.version, busy = false, again = false;

  // Members of a [data-list] come and go by their ids and are never moved; a [data-part] is replaced if its words differ.
  const redraw = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    fresh.querySelectorAll("[data-list]").forEach((list) => {
      const old = document.getElementById(list.id);
      const wanted = [...list.children];
      const ids = new Set(wanted.map((each) => each.id));
      [...old.children].forEach((each) => ids.has(each.id) || each.remove());
      wanted.forEach((each, index) => {
        if (document.getElementById(each.id)) return;
        const member = document.importNode(each, true);
        old.insertBefore(member, old.children[index] ?? null);
        drawn.set(member, member.innerHTML);
        remember(member);
      });
    });
    fresh.querySelectorAll("[data-part]").forEach((part) => {
      const old = root.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!old || drawn.get(old) === part.innerHTML) return;
      old.innerHTML = part.innerHTML;
      drawn.set(old, part.innerHTML);
    });
    document.dispatchEvent(new Event("redrawn"));
  };

  const look = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const place = new URL(root.dataset.live, location);
      new URLSearchParams(location.search).forEach((value, name) => place.searchParams.append(name, value));
      place.searchParams.set("seen", version);
      const answer = await fetch(place, { cache: "no-store" });
      if (answer.status === 200) {
        version = answer.headers.get("X-Version");
        redraw(await answer.text());
      }
    } catch { /* the simulator is away; the stream comes back with it */ }
    busy = false;
    if (again) { again = false; look(); }
  };

  const listen = () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else if (!stream) {
      stream = new EventSource("/_sim/events");
      stream.onmessage = look;
    }
  };
  remember(root);
  document.addEventListener("visibilitychange", listen);
  addEventListener("pageshow", listen);
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
})();
