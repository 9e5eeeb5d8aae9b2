// A page of lists that is kept true line by line. A line that changed is exchanged where it stands; new lines wait behind
// "3 new" while a finger or the mouse is on the lists or the page is scrolled down, so that nothing jumps under a finger.
// Whoever wants it hears and sees when money has come, and, differently, when something needs attention.
(() => {
  const $ = (id) => document.getElementById(id);
  const lists = [...document.querySelectorAll("[data-list]")];
  const held = new Map();
  const TOP = 120;
  const PAUSE = 3000;
  let order = {};
  let busy = false;
  let timer;
  let ahead = $("data").dataset.now * 1000 - Date.now();
  let keys = new Set($("data").dataset.keys.split(" ").filter(Boolean));
  let states = new Map(lists.flatMap((list) => [...list.children].map((line) => [line.id, line.dataset.state])));

  const made = (html) => {
    const box = document.createElement("template");
    box.innerHTML = html;
    return box.content.firstElementChild;
  };

  const exchange = (old, now) => {
    const parts = "a,button,input,summary";
    const at = [...old.querySelectorAll(parts), old].indexOf(document.activeElement);
    const typed = [...old.querySelectorAll("input:not([type=hidden])")].map((e) => [e.id, e.value]);
    const opened = [...old.querySelectorAll("details[open]")].map((e) => e.id);
    old.replaceWith(now);
    for (const [id, value] of typed) if ($(id)) $(id).value = value;
    for (const id of opened) if ($(id)) $(id).open = true;
    if (at >= 0) ([...now.querySelectorAll(parts), now][at] || now).focus();
  };

  const news = () => {
    const gone = document.querySelectorAll(".gone").length;
    const pill = $("pill");
    pill.hidden = !held.size && !gone;
    pill.textContent = held.size ? `${held.size} new` : `${gone} gone`;
  };

  // What waited is put in its place, and what is over leaves.
  const settle = () => {
    clearTimeout(timer);
    for (const list of lists) {
      const wanted = order[list.dataset.list];
      if (!wanted) continue;
      for (const line of [...list.children]) if (!wanted.includes(line.id)) line.remove();
      wanted.forEach((id, place) => {
        const line = held.get(id) || $(id);
        if (line && list.children[place] !== line) list.insertBefore(line, list.children[place] || null);
        if (held.delete(id)) line.classList.add("came");
      });
      const table = list.closest("table");
      if (table) table.hidden = !wanted.length;
    }
    news();
    ages();
  };

  const free = () => !busy && scrollY < TOP && !lists.some((list) => list.contains(document.activeElement));

  const take = (answer) => {
    ahead = answer.now * 1000 - Date.now();
    order = {};
    const paid = [];
    const now = new Map();
    for (const [name, lines] of Object.entries(answer.lists)) {
      const list = lists.find((one) => one.dataset.list === name);
      order[name] = lines.map((line) => line[0]);
      for (const [id, , state, words] of lines) {
        now.set(id, state);
        if (state === "completed" && states.get(id) !== "completed") paid.push([id, words]);
        if (!answer.lines[id]) continue;
        const line = made(answer.lines[id]);
        if ($(id)) exchange($(id), line);
        else held.set(id, line);
      }
      for (const line of list.children) {
        const over = !now.has(line.id);
        line.classList.toggle("gone", over);
        line.inert = over;
      }
      for (const count of document.querySelectorAll(`[data-count=${name}]`)) count.textContent = lines.length;
      const empty = document.querySelector(`[data-empty=${name}]`);
      if (empty) empty.hidden = lines.length > 0;
    }
    for (const id of held.keys()) if (!now.has(id)) held.delete(id);
    states = now;
    const fresh = answer.keys.filter((key) => !keys.has(key));
    keys = new Set(answer.keys);
    for (const count of document.querySelectorAll("[data-count=keys]")) count.textContent = keys.size;
    if (free()) settle();
    else news();
    for (const [id] of paid) if ($(id)) $(id).classList.add("new");
    if (paid.length) {
      $("say").textContent = paid.map(([, words]) => `Paid. ${words}`).join(". ");
      signal("paid");
    } else if (fresh.length) {
      $("say").textContent = fresh.length > 1 ? `${fresh.length} things need attention` : "Something needs attention";
    }
    if (fresh.length) signal("attention");
    ages();
    $("main").dataset.v = answer.v;
  };

  const have = () =>
    [...lists.flatMap((list) => [...list.children]), ...held.values()]
      .map((line) => line.dataset.tag)
      .join(",");

  const ages = () => {
    for (const each of document.querySelectorAll("time[data-since]")) {
      const age = Math.max(0, (Date.now() + ahead) / 1000 - each.dataset.since);
      const words =
        age < 60
          ? "now"
          : age < 3600
            ? `${Math.floor(age / 60)} min`
            : age < 172800
              ? `${Math.floor(age / 3600)} h`
              : `${Math.floor(age / 86400)} d`;
      if (each.textContent !== words) each.textContent = words;
    }
  };

  // Paid: two rising tones. Attention: three low ones. No browser sounds before somebody has pressed something.
  const TONES = { paid: [660, 880], attention: [330, 330, 330] };
  let audio;
  const wanted = () => localStorage.getItem("sound") === "on";
  const play = (what) => {
    TONES[what].forEach((pitch, place) => {
      const tone = audio.createOscillator();
      const loud = audio.createGain();
      const start = audio.currentTime + place * 0.18;
      tone.type = what === "paid" ? "sine" : "square";
      tone.frequency.value = pitch;
      loud.gain.setValueAtTime(what === "paid" ? 0.25 : 0.1, start);
      loud.gain.exponentialRampToValueAtTime(0.001, start + 0.16);
      tone.connect(loud).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.17);
    });
  };
  const wake = () => {
    if (!wanted()) return;
    audio = audio || new AudioContext();
    audio.resume();
  };
  const signal = (what) => {
    const flash = $("flash");
    flash.className = "";
    void flash.offsetWidth;
    flash.className = what;
    if (!wanted()) return;
    if (audio && audio.state === "running") play(what);
    if (navigator.vibrate && navigator.userActivation && navigator.userActivation.hasBeenActive)
      navigator.vibrate(what === "paid" ? 200 : [100, 80, 100, 80, 100]);
  };
  const shown = () => {
    $("sound").setAttribute("aria-pressed", wanted());
    $("sound").textContent = wanted() ? "Sound is on" : "Sound is off";
  };
  $("sound").hidden = false;
  $("sound").addEventListener("click", () => {
    localStorage.setItem("sound", wanted() ? "off" : "on");
    shown();
    wake();
    if (wanted()) signal("paid");
  });
  document.addEventListener("pointerdown", wake);
  shown();

  const touched = () => {
    clearTimeout(timer);
    busy = true;
  };
  const left = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      busy = false;
      if (free()) settle();
    }, PAUSE);
  };
  for (const place of [...lists, $("pill")]) {
    place.addEventListener("pointerenter", touched);
    place.addEventListener("pointerdown", touched);
    place.addEventListener("pointerleave", left);
    place.addEventListener("pointercancel", left);
    place.addEventListener("focusout", left);
  }
  addEventListener("scroll", () => free() && held.size && settle(), { passive: true });
  $("pill").addEventListener("click", () => {
    busy = false;
    if (scrollY >= TOP) scrollTo({ top: 0 });
    settle();
  });
  setInterval(ages, 15000);
  window.kaunta = { take, have };
})();
