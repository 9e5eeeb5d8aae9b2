// The PIN pad: it types into the PIN of its own prompt, and keeps the screen's keyboard away.
"use strict";
(() => {
  const dress = () => document.querySelectorAll(".sheet .pin").forEach((pin) => { pin.inputMode = "none"; });
  document.addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key === undefined) return;
    const pin = event.target.closest("form").querySelector(".pin");
    pin.value = key === "back" ? pin.value.slice(0, -1) : (pin.value + key).slice(0, 4);
  });
  document.addEventListener("redrawn", dress);
  dress();
})();
