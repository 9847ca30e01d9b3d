/* The pictures of "learn" that answer to the reader: the logistic map's knob and the ripple grids.
   No library. Listeners hang on one element that stays while its content is replaced, and what has just
   arrived is made ready by a MutationObserver. The rules are those of logistic.py and ripple.py. */
const learn = (() => {
  "use strict";

  // ---- The rules: no document here, so that the tests can run them. ----

  function trajectory(r, start, steps) {
    const values = [start];
    for (let step = 0; step < steps; step += 1) {
      const x = values[step];
      values.push(r * x * (1 - x));
    }
    return values;
  }

  /* The geometric mean of |f'(x)| along a long run, after its transient. */
  function stretchPerStep(r, { start, stretch_transient: transient, stretch_steps: steps }) {
    const run = trajectory(r, start, transient + steps).slice(transient + 1);
    const logs = run.map((x) => Math.log(Math.abs(r * (1 - 2 * x))));
    return Math.exp(logs.reduce((sum, each) => sum + each, 0) / run.length);
  }

  function twoTrajectories(r, settings) {
    const first = trajectory(r, settings.start, settings.steps);
    const second = trajectory(r, settings.start + settings.nudge, settings.steps);
    const gap = first.map((x, step) => Math.abs(x - second[step]));
    const at = gap.findIndex((each) => each > settings.parted);
    return { first, second, gap, partedAt: at < 0 ? null : at, stretch: stretchPerStep(r, settings) };
  }

  function rippleStep(grid, gain) {
    const last = grid.length - 1;
    return grid.map((cells, row) => cells.map((here, column) => {
      const above = grid[Math.max(row - 1, 0)][column], below = grid[Math.min(row + 1, last)][column];
      const left = cells[Math.max(column - 1, 0)], right = cells[Math.min(column + 1, last)];
      return Math.min(gain * ((here + above + below + left + right) / 5), 1);
    }));
  }

  function ripple(gain, row, column, { size, steps }) {
    const grids = [Array.from({ length: size }, () => Array(size).fill(0))];
    grids[0][row][column] = 1;
    for (let step = 0; step < steps; step += 1) grids.push(rippleStep(grids[step], gain));
    return grids;
  }

  function fill(sentence, values) {
    return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  }

  // ---- The logistic map. ----

  function line(values, height) {
    return values.map((value, step) => `${step},${Number(height(value).toFixed(4))}`).join(" ");
  }

  function kind({ partedAt, stretch }) {
    return `${partedAt === null ? "together" : "parted"}${stretch < 1 ? "Shrinking" : "Growing"}`;
  }

  function turnKnob(knob) {
    const section = knob.closest("[data-logistic]");
    const settings = JSON.parse(section.dataset.logistic);
    const r = Number(knob.value), run = twoTrajectories(r, settings);
    const part = (name) => section.querySelector(`[data-part="${name}"]`);
    part("first").setAttribute("points", line(run.first, (x) => 1 - x));
    part("second").setAttribute("points", line(run.second, (x) => 1 - x));
    part("gap").setAttribute("points", line(run.gap, (g) => -Math.log10(Math.max(g, settings.smallest_gap))));
    part("system").setAttribute("d", `M${r} 0V1`);
    for (const mark of section.querySelectorAll("[data-part=parting]")) {
      mark.setAttribute("d", run.partedAt === null ? "" : `M${run.partedAt} 0V${mark.dataset.height}`);
    }
    const result = part("result");
    const values = { r: r.toFixed(2), step: run.partedAt, steps: settings.steps, stretch: run.stretch.toFixed(3) };
    result.textContent = fill(result.dataset[kind(run)], values);
    for (const said of section.querySelectorAll("[data-part=knob-value]")) said.textContent = r.toFixed(2);
    knob.setAttribute("aria-valuetext", `r = ${r.toFixed(2)}`);
  }

  /* The address is that of what is shown, so that it can be copied; nothing is asked of the server. */
  function keepInAddress(knob) {
    const address = new URL(window.location.href);
    if (address.searchParams.get("view") !== "learn") return;
    address.searchParams.set("r", knob.value);
    window.history.replaceState(window.history.state, "", address);
    const link = `?view=learn&r=${knob.value}`, page = knob.closest(".sensitivity");
    for (const copy of page.querySelectorAll("footer [data-copy]")) copy.dataset.copy = link;
    for (const shown of page.querySelectorAll("footer .address")) {
      shown.href = link;
      shown.textContent = link;
    }
  }

  // ---- The ripple grids. ----

  const running = new WeakMap(); // section -> timer of the ripple under way
  const seen = new WeakSet(); // pages that were made ready
  const AT_FIRST = 5; // step of the still picture

  function buildGrid(grid, size) {
    for (let row = 0; row < size; row += 1) {
      const line = document.createElement("div");
      line.setAttribute("role", "row");
      for (let column = 0; column < size; column += 1) {
        const cell = document.createElement("div");
        cell.setAttribute("role", "gridcell");
        cell.setAttribute("aria-label", `row ${row + 1}, column ${column + 1}`);
        cell.dataset.shade = 0;
        cell.tabIndex = row === (size >> 1) && column === (size >> 1) ? 0 : -1;
        line.append(cell);
      }
      grid.append(line);
    }
  }

  function place(cell) {
    return [[...cell.parentNode.parentNode.children].indexOf(cell.parentNode), [...cell.parentNode.children].indexOf(cell)];
  }

  function paint(grid, values, shades) {
    values.forEach((cells, row) => cells.forEach((value, column) => {
      grid.children[row].children[column].dataset.shade = shades.filter((from) => value >= from).length;
    }));
  }

  function inPrint(total) {
    return total < 0.01 ? "less than 0.01" : total.toFixed(2);
  }

  function outcome(total) {
    if (Math.abs(total - 1) < 1e-9) return "kept";
    return total < 1 ? "swallowed" : "amplified";
  }

  /* A still picture before anybody touches a grid. */
  function stand(section, step) {
    const settings = JSON.parse(section.dataset.ripple), middle = settings.size >> 1;
    for (const holder of section.querySelectorAll("[data-gain]")) {
      const frames = ripple(Number(holder.querySelector("input").value), middle, middle, settings);
      paint(holder.querySelector("[role=grid]"), frames[step], settings.shades);
    }
  }

  function start(section, row, column, animate) {
    const settings = JSON.parse(section.dataset.ripple);
    section.dataset.cell = `${row},${column}`;
    const both = [...section.querySelectorAll("[data-gain]")].map((holder) => {
      const gain = Number(holder.querySelector("input").value);
      return { gain, grid: holder.querySelector("[role=grid]"), frames: ripple(gain, row, column, settings) };
    });
    const show = (step) => both.forEach(({ grid, frames }) => paint(grid, frames[step], settings.shades));
    window.clearInterval(running.get(section));
    const result = section.querySelector("[data-part=result]");
    const begun = fill(result.dataset.start, { row: row + 1, column: column + 1 });
    const finish = () => announce(result, both, begun, settings);
    if (!animate || wantsNoMotion()) {
      show(settings.steps);
      finish();
      return;
    }
    let step = 0;
    result.textContent = begun;
    show(step);
    const timer = window.setInterval(() => {
      step += 1;
      // The content may have been replaced under way: nobody looks at this grid any more.
      if (section.isConnected && step <= settings.steps) show(step);
      else window.clearInterval(timer);
      if (section.isConnected && step === settings.steps) finish();
    }, 70);
    running.set(section, timer);
  }

  function announce(result, both, begun, settings) {
    const told = both.map(({ gain, frames }) => {
      const total = frames[settings.steps].flat().reduce((sum, each) => sum + each, 0);
      return fill(result.dataset[outcome(total)], { gain: gain.toFixed(2), total: inPrint(total), steps: settings.steps });
    });
    result.textContent = [begun, ...told].join(" ");
  }

  function turnGain(knob) {
    const section = knob.closest("[data-ripple]");
    knob.closest("[data-gain]").querySelector("[data-part=gain-value]").textContent = Number(knob.value).toFixed(2);
    if (section.dataset.cell) start(section, ...section.dataset.cell.split(",").map(Number), false);
  }

  function moveFocus(cell, key) {
    const grid = cell.closest("[role=grid]"), [row, column] = place(cell), last = grid.children.length - 1;
    const to = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1], Home: [row, 0], End: [row, last],
    }[key];
    if (!to) return false;
    const [next, beside] = to.map((each) => Math.min(Math.max(each, 0), last));
    focusCell(grid.children[next].children[beside]);
    return true;
  }

  function focusCell(cell) {
    cell.closest("[role=grid]").querySelector("[tabindex='0']").tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }

  // ---- Listening. ----

  function onInput(event) {
    if (event.target.matches("[data-logistic] input[type=range]")) turnKnob(event.target);
    if (event.target.matches("[data-ripple] input[type=range]")) turnGain(event.target);
  }

  function onChange(event) {
    if (event.target.matches("[data-logistic] input[type=range]")) keepInAddress(event.target);
  }

  /* The contents list: a chapter of this page, not another page. */
  function onContents(event) {
    const link = event.target.closest(".learn-contents a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    goTo(link.closest(".learn"), link.hash);
    const { pathname, search } = window.location; // a hash alone would be one of the server's base address
    window.history.replaceState(window.history.state, "", `${pathname}${search}${link.hash}`);
  }

  function goTo(page, hash) {
    const heading = hash.startsWith("#learn-") && page.querySelector(CSS.escape ? `#${CSS.escape(hash.slice(1))}` : hash);
    if (!heading) return;
    heading.scrollIntoView({ behavior: wantsNoMotion() ? "auto" : "smooth", block: "start" });
    heading.focus({ preventScroll: true });
  }

  // ---- What moves by itself, once, when it comes into view. ----

  function wantsNoMotion() {
    return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  function moveOnce(element) {
    const drawn = element.querySelector(".learn-drawn");
    if (drawn) return void drawn.classList.replace("waiting", "moving");
    const section = element.closest("[data-ripple]"), { size } = JSON.parse(section.dataset.ripple);
    if (!section.dataset.cell) start(section, size >> 1, size >> 1, true);
  }

  function watch(page) {
    if (wantsNoMotion() || !window.IntersectionObserver) return;
    const observer = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        observer.unobserve(target);
        moveOnce(target);
      }
    }, { threshold: 0.5 });
    // What hides a line is no part of what is watched: it would never come into view.
    for (const drawn of page.querySelectorAll(".learn-drawn")) {
      drawn.classList.add("waiting");
      observer.observe(drawn.closest(".learn-plot"));
    }
    for (const grids of page.querySelectorAll("[data-ripple] .learn-grids")) observer.observe(grids);
  }

  function onClick(event) {
    const section = event.target.closest("[data-ripple]");
    if (!section) return;
    const cell = event.target.closest("[role=gridcell]");
    if (cell) {
      focusCell(cell);
      start(section, ...place(cell), true);
    } else if (event.target.closest("[data-part=middle]")) {
      const { size } = JSON.parse(section.dataset.ripple);
      start(section, size >> 1, size >> 1, true);
    }
  }

  function onKey(event) {
    const cell = event.target.closest("[data-ripple] [role=gridcell]");
    if (!cell || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      start(cell.closest("[data-ripple]"), ...place(cell), true);
    } else if (moveFocus(cell, event.key)) {
      event.preventDefault();
    }
  }

  /* The cells are made here: the page has none until somebody can touch them. */
  function prepare(root) {
    for (const section of root.querySelectorAll("[data-ripple]")) {
      const { size } = JSON.parse(section.dataset.ripple);
      const empty = section.querySelectorAll("[role=grid]:empty");
      for (const grid of empty) buildGrid(grid, size);
      if (empty.length) stand(section, AT_FIRST);
    }
    for (const page of root.querySelectorAll(".learn")) {
      if (seen.has(page)) continue;
      seen.add(page);
      watch(page);
      goTo(page, window.location.hash);
    }
  }

  /* Once per root: an element that stays while what is inside it is replaced. */
  function attach(root) {
    root.addEventListener("input", onInput);
    root.addEventListener("change", onChange);
    root.addEventListener("click", onContents, { capture: true });
    root.addEventListener("click", onClick);
    root.addEventListener("keydown", onKey);
    new MutationObserver(() => prepare(root)).observe(root, { childList: true, subtree: true });
    prepare(root);
  }

  return { trajectory, twoTrajectories, rippleStep, ripple, fill, kind, outcome, attach };
})();
