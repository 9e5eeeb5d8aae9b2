// Keeps a counter page true: the server says that something changed, the page reads itself again.
// What the reader has typed, opened or focused stays as it is, and nothing changes on a network error but the dot.
// Where no stream comes through, the page asks every few seconds, and says so.
(() => {
  const $ = (id) => document.getElementById(id);
  const board = window.kaunta;
  // However fast things change, a page is read again at most so often, milliseconds.
  const GAP = 1000;
  let busy = 0;
  let timer;
  let failures = 0;
  let cuts = 0;
  let source;

  const say = (state, words) => {
    $("link").dataset.state = state;
    $("link-word").textContent = words;
  };

  const status = () => {
    if (failures) say("lost", "No connection");
    else if (source.readyState === 1) say("live", "Live");
    else if (source.readyState === 2 || cuts > 1) say("poll", "Polling every 5 s");
    else say("wait", "Reconnecting");
  };

  const states = () => new Map([...document.querySelectorAll("tr[data-paid]")].map((row) => [row.id, row.dataset.paid]));

  const swap = (html) => {
    const before = states();
    const old = $("main");
    const focused = document.activeElement.id;
    const kept = [...old.querySelectorAll("details,input,select")].map((e) => [
      e.id,
      e.open,
      e.value !== e.defaultValue && e.value,
      e.checked,
    ]);
    const box = document.createElement("template");
    box.innerHTML = html;
    old.replaceWith(box.content.querySelector("#main"));
    for (const [id, open, value, checked] of kept) {
      const now = id && $(id);
      if (!now) continue;
      now.open = open;
      if (value) now.value = value;
      if (checked) now.checked = true;
    }
    if (focused && $(focused)) $(focused).focus();
    const paid = [...document.querySelectorAll("tr[data-paid=completed]")].filter(
      (row) => before.get(row.id) !== "completed",
    );
    paid.forEach((row) => row.classList.add("new"));
    if (paid.length) $("say").textContent = paid.map((row) => `Paid. ${row.dataset.words}`).join(". ");
  };

  const read = async () => {
    if (busy++) return;
    try {
      const headers = { "X-Fragment": board ? "lines" : "main", "If-None-Match": $("main").dataset.v };
      if (board) headers["X-Have"] = board.have();
      const answer = await fetch("", { headers, redirect: "manual" });
      if (answer.type === "opaqueredirect") return location.reload();
      if (answer.status === 200) board ? board.take(await answer.json()) : swap(await answer.text());
      failures = 0;
    } catch {
      failures += 1;
    }
    status();
    const again = busy > 1;
    busy = 0;
    clearTimeout(timer);
    timer = setTimeout(read, again ? GAP : 1000 * (source.readyState === 1 ? 30 : 5) * Math.min(4, 2 ** failures));
  };

  const listen = () => {
    source = new EventSource($("main").dataset.live);
    source.onopen = () => {
      cuts = 0;
      status();
    };
    source.onmessage = read;
    source.onerror = () => {
      cuts += 1;
      status();
      // A stream that was refused is over for the browser; this one asks again.
      if (source.readyState === 2) setTimeout(listen, 5000);
      clearTimeout(timer);
      timer = setTimeout(read, 1000);
    };
  };

  listen();
  timer = setTimeout(read, 5000);
  document.addEventListener("visibilitychange", () => document.hidden || read());
  addEventListener("pageshow", (event) => event.persisted && read());
  addEventListener("online", read);
})();
