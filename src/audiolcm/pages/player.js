"use strict";
// The player of every page: one sound at a time, and a line in its picture that shows where it is.
(() => {
  const sounds = [...document.querySelectorAll("figure audio")];
  for (const audio of sounds) {
    const playhead = audio.closest("figure").querySelector(".playhead");
    // Events come late: one of a sound that was paused again means nothing.
    audio.addEventListener("play", () => {
      if (!audio.paused) sounds.forEach((other) => other !== audio && other.pause());
    });
    audio.addEventListener("timeupdate", () => {
      playhead.style.left = `${(100 * audio.currentTime) / audio.duration}%`;
      playhead.classList.toggle("moving", audio.currentTime > 0);
    });
  }
})();
