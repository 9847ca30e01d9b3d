/* "Watch the branching": both outputs of a pair up to a step, with the charts' cursors moving along.
   Listeners hang on one element that stays while its content is replaced. Everything shown is in the document
   already: classes, attributes and textContent change, and no markup is made. */
const branching = (() => {
  "use strict";
  const PAUSE = 220;
  let timer = null;
  let playing = null;
  let standAt = () => {};

  const sectionOf = (element) => element.closest("[data-branching]");
  const sliderOf = (section) => section.querySelector("input[type=range]");
  const stepOf = (section) => Number(sliderOf(section).value);
  const linkOf = (section) => section.querySelector("a.steplink");
  const wantsNoMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  function inPrint(value) {
    if (value === null || value === undefined) return "–";
    return value > 0 && value < 0.0005 ? "<0.001" : value.toFixed(3);
  }

  /* What is known after t steps; margins belong to the step itself. */
  function numbersAt(data, t) {
    const margin = (side) => (data[side] && t > 0 ? data[side][t - 1] : null);
    return { step: String(t), curve: String(data.curve[t]), base: inPrint(margin("base")), variant: inPrint(margin("variant")) };
  }

  /* What is said at this step is in sight, also where the output scrolls. */
  function keepInSight(section) {
    for (const text of section.querySelectorAll(".output .text")) {
      const now = [...text.querySelectorAll(".now")].pop() || text.querySelector(".parting");
      if (!now) continue;
      const top = now.getBoundingClientRect().top - text.getBoundingClientRect().top;
      if (top < 0 || top > text.clientHeight - 40) text.scrollTop += top - text.clientHeight / 3;
    }
  }

  function show(section, wanted, { aloud = false } = {}) {
    const slider = sliderOf(section);
    const last = Number(slider.max);
    const t = Math.max(0, Math.min(last, wanted));
    slider.value = String(t);
    for (const piece of section.querySelectorAll("[data-step]")) {
      const step = Number(piece.dataset.step);
      piece.classList.toggle("later", step > t);
      piece.classList.toggle("now", step === t && t > 0);
    }
    section.classList.add("walked");
    section.style.setProperty("--at", `${(100 * t) / last}%`);
    keepInSight(section);
    const numbers = numbersAt(JSON.parse(section.dataset.branching), t);
    for (const [name, words] of Object.entries(numbers)) {
      const place = section.querySelector(`[data-say="${name}"]`);
      if (place) place.textContent = words;
    }
    const words = `step ${t} of ${last}, ${numbers.curve} to edit`;
    slider.setAttribute("aria-valuetext", words);
    // While it plays, a screen reader that is told every step would never come to an end.
    if (aloud) section.querySelector('[data-say="all"]').textContent = words;
    const link = linkOf(section);
    const address = new URLSearchParams(link.getAttribute("href"));
    address.set("step", String(t));
    link.setAttribute("href", `?${address}`);
  }

  /* Whoever copies the address gets the step that is looked at. Not while it moves: browsers allow few changes. */
  function rest(section) {
    standAt(linkOf(section).getAttribute("href"));
  }

  function pause(section) {
    const stood = section !== playing;
    section.classList.remove("playing");
    clearInterval(timer);
    timer = playing = null;
    if (!section.isConnected) return;
    if (!stood) rest(section);
    const [play, stop] = ["play", "pause"].map((name) => section.querySelector(`[data-branch="${name}"]`));
    const hadFocus = document.activeElement === stop;
    play.disabled = wantsNoMotion();
    stop.disabled = true;
    if (hadFocus) play.focus();
  }

  function play(section) {
    pause(section);
    if (wantsNoMotion()) return;
    const last = Number(sliderOf(section).max);
    if (stepOf(section) >= last) show(section, 0);
    const [begin, stop] = ["play", "pause"].map((name) => section.querySelector(`[data-branch="${name}"]`));
    section.classList.add("playing");
    begin.disabled = true;
    stop.disabled = false;
    stop.focus();
    playing = section;
    timer = setInterval(() => {
      if (!section.isConnected || stepOf(section) >= last) return pause(section);
      show(section, stepOf(section) + 1);
    }, PAUSE);
  }

  const moves = {
    back: (section) => stepOf(section) - 1,
    forward: (section) => stepOf(section) + 1,
    first: (section, button) => Number(button.dataset.at),
  };

  /* Where in the lanes a reader has pointed. */
  function pointAt(event) {
    const lanes = event.target.closest("[data-branching] .lanes");
    if (!lanes || event.target.closest("a")) return;
    const section = sectionOf(lanes), box = lanes.querySelector(".plot").getBoundingClientRect();
    pause(section);
    show(section, Math.round((Number(sliderOf(section).max) * (event.clientX - box.left)) / box.width), { aloud: true });
    rest(section);
  }

  /* One letter leads to another pair, unless the letter is being written somewhere. */
  function turnPage(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=range], [type=checkbox]), select, textarea")) return;
    const link = document.querySelector(`.sensitivity a[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  }

  /* `whenAtRest` is told the address of the step that is shown, once the reader has chosen it. */
  function attach(root, whenAtRest) {
    standAt = whenAtRest;
    root.addEventListener("click", pointAt);
    document.addEventListener("keydown", turnPage);
    root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-branch]");
      const section = button && sectionOf(button);
      if (!section) return;
      const action = button.dataset.branch;
      if (action === "play") return play(section);
      pause(section);
      if (!moves[action]) return;
      show(section, moves[action](section, button), { aloud: true });
      rest(section);
    });
    root.addEventListener("input", (event) => {
      const section = event.target.matches("input[type=range]") && sectionOf(event.target);
      if (!section) return;
      pause(section);
      show(section, stepOf(section));
    });
    root.addEventListener("change", (event) => {
      const section = event.target.matches("input[type=range]") && sectionOf(event.target);
      if (section) rest(section);
    });
    const seen = new WeakSet();
    const settle = () => {
      for (const section of root.querySelectorAll("[data-branching]")) {
        const button = section.querySelector('[data-branch="play"]');
        if (!button || section === playing) continue;
        button.disabled = wantsNoMotion();
        section.querySelector(".still-words").hidden = !wantsNoMotion();
        if (!seen.has(section)) keepInSight(section);
        seen.add(section);
      }
    };
    // Content is replaced as a whole; attributes that change while it plays are of no interest.
    new MutationObserver(settle).observe(root, { childList: true, subtree: true });
    settle();
  }

  return { attach, numbersAt };
})();
