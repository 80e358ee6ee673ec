"use strict";
// No template variable in here: Mechanical Turk would fill it. A sound must be heard to its end before it is rated.
(() => {
  const slots = [...document.querySelectorAll(".slot")].filter((slot) => {
    if (slot.dataset.clip === "") slot.remove();
    return slot.dataset.clip !== "";
  });
  for (const slot of slots) {
    const audio = slot.querySelector("audio");
    let heard = 0; // seconds up to where nothing was skipped
    audio.addEventListener("timeupdate", () => {
      if (audio.currentTime - heard < 1) heard = Math.max(heard, audio.currentTime);
    });
    audio.addEventListener("seeking", () => {
      if (audio.currentTime > heard + 1) audio.currentTime = heard;
    });
    audio.addEventListener("ended", () => (slot.querySelector("fieldset").disabled = false));
  }
  const isChosen = (group) => group.querySelector("input:checked") !== null;
  document.querySelector("crowd-form").onsubmit = (event) => {
    const device = document.querySelector("crowd-form > fieldset");
    const open = slots.filter((slot) => !isChosen(slot.querySelector("fieldset")));
    if (isChosen(device) && open.length === 0) return;
    event.preventDefault();
    const where = open.map((slot) => slot.querySelector("h3").textContent).join(", ");
    document.getElementById("trouble").textContent = where ? "Please hear and rate: " + where : "Please say what you listen with.";
  };
})();
