"use strict";
// The whole test: order, playing, rating, keeping, and the file of answers.
(() => {
  const at = (id) => document.getElementById(id);
  const test = JSON.parse(at("test").textContent);
  const trials = new Map(test.trials.map((trial) => [trial.token, trial]));
  const radios = [...document.querySelectorAll("#ratings input")];
  const STORE = `audiolcm-listening ${test.test}`;
  const audio = new Audio();
  let state = null; // { rater, device, place, answers: {token: rating}, seconds: {}, plays: {}, when: {} }
  let order = [];
  let since = null; // when the trial on show came up

  // ---- order: evaluation/listening/questions.py has the same two functions
  function mixed(text) {
    let value = 0x811c9dc5;
    for (const sign of text) value = Math.imul(value ^ sign.charCodeAt(0), 0x01000193);
    value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
    value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
    return (value ^ (value >>> 16)) >>> 0;
  }
  function orderFor(rater, tokens) {
    const keys = new Map(tokens.map((token) => [token, mixed(`${rater}|${token}`)]));
    return tokens.sort((a, b) => keys.get(a) - keys.get(b) || (a < b ? -1 : 1));
  }
  const part = (key) => test.trials.filter((trial) => trial.question === key).map((trial) => trial.token);

  // ---- keeping: one entry a rater, and one that names the rater at work
  const KEEPS_NOTHING = "This browser keeps nothing: do not close or reload the page before the end.";
  function stored(name) {
    try {
      return localStorage.getItem(`${STORE} ${name}`);
    } catch {
      at("storage").textContent = KEEPS_NOTHING;
      return null;
    }
  }
  function keep() {
    try {
      localStorage.setItem(`${STORE} rater ${state.rater}`, JSON.stringify(state));
      localStorage.setItem(`${STORE} now`, state.rater);
    } catch {
      tell(KEEPS_NOTHING);
    }
  }
  function spend() {
    if (since === null) return;
    const token = order[state.place];
    state.seconds[token] = (state.seconds[token] ?? 0) + (performance.now() - since) / 1000;
    since = performance.now();
  }
  function pauseClock() {
    spend();
    since = null;
    if (state !== null) keep();
  }

  // ---- screens
  const tell = (text) => (at("status").textContent = text);
  const show = (name) => ["welcome", "trial", "done"].forEach((id) => (at(id).hidden = id !== name));
  const isRated = (token) => state.answers[token] !== undefined;

  function start(kept) {
    state = kept;
    order = test.questions.flatMap((question) => orderFor(state.rater, part(question.key)));
    if (state.place >= order.length) return finish();
    open(state.place);
  }

  function open(place) {
    if (since !== null) spend();
    state.place = place;
    const trial = trials.get(order[place]);
    const question = test.questions.find((one) => one.key === trial.question);
    const mine = order.filter((token) => trials.get(token).question === question.key);
    const number = mine.indexOf(trial.token) + 1;
    const parts = test.questions.length > 1 ? `Part ${test.questions.indexOf(question) + 1} of ${test.questions.length}, ` : "";
    show("trial");
    at("place").textContent = `${parts}${question.heading}: sound ${number} of ${mine.length}`;
    at("question").textContent = question.text;
    at("above").hidden = trial.shown === "";
    at("kind").textContent = trial.kind;
    at("shown").textContent = trial.shown;
    at("legend").textContent = question.heading;
    document.querySelectorAll("#ratings .word").forEach((word, index) => (word.textContent = question.labels[index]));
    radios.forEach((radio) => (radio.checked = Number(radio.value) === state.answers[trial.token]));
    at("play").setAttribute("aria-label", `Play sound ${number} of ${mine.length}`);
    at("back").setAttribute("aria-disabled", String(place === 0));
    audio.pause();
    audio.src = test.sounds[trial.sound];
    at("heard").value = 0;
    refresh();
    tell(isRated(trial.token) ? "You have rated this sound." : "Hear the sound to its end; then rate it.");
    at("play").focus();
    since = document.hidden ? null : performance.now();
    keep();
  }

  function refresh() {
    const token = order[state.place];
    at("ratings").disabled = !(state.plays[token] > 0);
    at("next").setAttribute("aria-disabled", String(!isRated(token)));
    at("play").textContent = audio.paused ? (state.plays[token] > 0 ? "Play again" : "Play") : "Stop";
  }

  function finish() {
    pauseClock();
    audio.pause();
    state.place = order.length;
    keep();
    show("done");
    at("thanks").focus();
  }

  // ---- what a rater does
  function toggle() {
    if (!audio.paused) {
      audio.pause();
      audio.currentTime = 0; // no part may be skipped: it starts again
    } else audio.play().catch(() => tell("The sound cannot be played in this browser."));
    refresh();
  }
  function rate(rating) {
    const token = order[state.place];
    if (at("ratings").disabled) return tell("Please hear the sound to its end first.");
    const radio = radios.find((one) => Number(one.value) === rating);
    radio.checked = true;
    state.answers[token] = rating;
    state.when[token] = new Date().toISOString();
    spend();
    keep();
    refresh();
    tell(`Rated ${rating}.`);
  }
  function change(step) {
    const now = test.scale.indexOf(state.answers[order[state.place]]);
    const wanted = now < 0 ? (step > 0 ? 0 : test.scale.length - 1) : now + step;
    if (test.scale[wanted] !== undefined) rate(test.scale[wanted]);
  }
  function move(step) {
    if (step > 0 && !isRated(order[state.place])) return tell("Please hear the sound to its end and rate it first.");
    if (state.place + step < 0) return;
    if (state.place + step === order.length) return finish();
    open(state.place + step);
  }

  const keys = {
    ArrowRight: () => move(1),
    ArrowLeft: () => move(-1),
    ArrowUp: () => change(1),
    ArrowDown: () => change(-1),
    Enter: () => move(1),
    " ": toggle,
  };
  test.scale.forEach((rating, index) => (keys[String(index + 1)] = () => rate(rating)));

  document.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    const isPlain = !(event.ctrlKey || event.altKey || event.metaKey || event.repeat);
    const pressesButton = event.target.tagName === "BUTTON" && [" ", "Enter"].includes(event.key);
    const playsByEnter = event.target.id === "play" && event.key === "Enter" && isRated(order[state?.place]);
    if (at("trial").hidden || !action || !isPlain || (pressesButton && !playsByEnter)) return;
    event.preventDefault();
    action();
  });
  audio.addEventListener("ended", () => {
    const token = order[state.place];
    state.plays[token] = (state.plays[token] ?? 0) + 1;
    keep();
    refresh();
    tell("Now rate it: keys 1 to 5.");
  });
  audio.addEventListener("timeupdate", () => (at("heard").value = audio.currentTime / (audio.duration || 1)));
  radios.forEach((radio) => radio.addEventListener("change", () => rate(Number(radio.value))));
  at("play").addEventListener("click", toggle);
  at("back").addEventListener("click", () => move(-1));
  at("next").addEventListener("click", () => move(1));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) pauseClock();
    else if (!at("trial").hidden) since = performance.now();
  });
  addEventListener("pagehide", pauseClock);

  // ---- begin and end
  at("tone").addEventListener("click", () => new Audio(test.tone).play());
  at("begin").addEventListener("submit", (event) => {
    event.preventDefault();
    const rater = at("rater").value;
    const device = document.querySelector("[name=device]:checked").value;
    const kept = JSON.parse(stored(`rater ${rater}`) ?? "null");
    start(kept ?? { rater, device, place: 0, answers: {}, seconds: {}, plays: {}, when: {} });
  });
  at("reopen").addEventListener("click", () => open(order.length - 1));
  at("another").addEventListener("click", () => {
    pauseClock();
    try {
      localStorage.removeItem(`${STORE} now`);
    } catch {} // nothing was kept
    state = null;
    at("begin").reset();
    show("welcome");
    at("rater").focus();
  });

  // Columns: evaluation/listening/answers.py reads them. No field holds a comma or begins like a formula.
  function csv() {
    const rows = order.map((token, index) => [
      test.test, state.rater, state.device, index + 1, order.length, trials.get(token).question, token,
      state.answers[token], state.seconds[token].toFixed(2), state.plays[token], state.when[token],
    ]);
    const head = "test,rater,device,position,trials,question,trial,rating,seconds,plays,answered_at";
    return [head, ...rows.map((row) => row.join(","))].join("\n") + "\n";
  }
  at("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = `ratings-${test.test}-${state.rater}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after the click
  });

  const now = stored("now");
  const kept = now === null ? null : stored(`rater ${now}`);
  if (kept !== null) start(JSON.parse(kept));
  else at("rater").focus();
})();
