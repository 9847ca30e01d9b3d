/* Navigation of the page: links and forms ask the server for the new content instead of loading everything again.
   gr.HTML calls this with `element`, which stays, and `server`, the functions of app.py. No library, nothing stored. */
const root = element;
let latest = 0;
/* Milliseconds before each try. */
const PAUSES = [0, 500, 1000, 2000];

function parted(address) {
  return new URL(address, window.location.href).search;
}

/* Hosts add names of their own, such as __theme, which must outlive a click. */
function withHostNames(query) {
  const own = new URLSearchParams(query);
  for (const [name, value] of new URLSearchParams(window.location.search)) {
    if (name.startsWith("__") && !own.has(name)) own.append(name, value);
  }
  const all = own.toString();
  return all ? `?${all}` : window.location.pathname;
}

function main() {
  return root.querySelector(".sensitivity");
}

/* The page around us may be a frame of huggingface.co, whose address bar is not ours to write. */
function tellHost(query) {
  if (window.parent === window) return;
  window.parent.postMessage({ queryString: query.replace(/^\?/, "") }, "https://huggingface.co");
}

function complain(words) {
  const place = main().querySelector(".content");
  place.querySelector(".failed")?.remove();
  const box = document.createElement("p");
  box.className = "complaints failed";
  box.setAttribute("role", "alert");
  box.textContent = words;
  place.prepend(box);
  main().removeAttribute("aria-busy");
}

/* The answer, or undefined where none came. Everything that is asked for is only read, so asking again does no harm.
   Of what nobody waits for any more, neither the answer nor its failure is of interest. */
async function ask(call, isWanted = () => true) {
  for (const pause of PAUSES) {
    await new Promise((done) => setTimeout(done, pause));
    if (!isWanted()) return undefined;
    const answer = await attempt(call);
    if (answer !== undefined) return answer;
  }
  if (isWanted()) complain("The server did not answer. This is still the page before. Check the connection and try again.");
  return undefined;
}

/* Gradio refuses what is asked before it is connected, and answers undefined when the network or the server fails. */
async function attempt(call) {
  try {
    return await call();
  } catch (error) {
    return undefined;
  }
}

/* `focus` is a selector; the view's heading where it is missing, so that a screen reader begins there. */
async function show(query, { push, focus = null, scroll = true }) {
  const turn = ++latest;
  const isWanted = () => turn === latest;
  main().setAttribute("aria-busy", "true");
  const html = await ask(() => server.show_page(query), isWanted);
  if (html === undefined || !isWanted()) return;
  main().outerHTML = html;
  if (push) {
    // The page's own link leaves out what goes without saying.
    const address = root.querySelector(".address")?.getAttribute("href") ?? query;
    history.pushState({}, "", withHostNames(address));
    tellHost(address);
  }
  settle();
  const target = (focus && root.querySelector(focus)) || root.querySelector(".heading");
  target?.focus({ preventScroll: true });
  if (scroll) (root.querySelector(".masthead") || root).scrollIntoView({ block: "start" });
}

function settle() {
  const heading = root.querySelector(".heading");
  if (heading) document.title = `${heading.textContent} - Prompt sensitivity`;
  const row = root.querySelector("nav ul"), here = root.querySelector("nav [aria-current]");
  if (here) row.scrollLeft = here.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
  hintAll();
}

/* Who cannot see that a row goes on does not scroll it. */
function hint(box) {
  const more = box.scrollLeft + box.clientWidth < box.scrollWidth - 2;
  box.closest(".frame, nav")?.classList.toggle("more", more);
}

function hintAll() {
  root.querySelectorAll(".scroll, nav ul, form.choices").forEach(hint);
}

function queryOf(form) {
  const values = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== "") values.append(name, value);
  return `?${values}`;
}

function isPlain(event) {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

root.addEventListener("scroll", (event) => {
  if (event.target.matches?.(".scroll, nav ul, form.choices")) hint(event.target);
}, true);
root.addEventListener("toggle", hintAll, true);
window.addEventListener("resize", hintAll);

root.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) return void copyText(copy, new URL(copy.dataset.copy, window.location.href).href);
  const words = event.target.closest("[data-copy-text]");
  if (words) return void copyText(words, document.getElementById(words.dataset.copyText).textContent);
  const table = event.target.closest("[data-copy-table]");
  if (table) return void copyText(table, inTabs(tableOf(table)));
  const head = event.target.closest("[data-sort]");
  if (head) return void sortBy(head.closest("th"));
  const wanted = event.target.closest("[data-download]");
  if (wanted) return void download(wanted);
  const link = event.target.closest("a[href^='?']");
  if (!link || !isPlain(event)) return;
  event.preventDefault();
  show(parted(link.getAttribute("href")), { push: true });
});

root.addEventListener("submit", (event) => {
  if (!event.target.matches("form.choices")) return;
  event.preventDefault();
  show(queryOf(event.target), { push: true });
});

root.addEventListener("change", (event) => {
  const select = event.target.closest("form.choices select");
  // The reader is still choosing: the focus stays on the same select.
  if (select) show(queryOf(select.form), { push: true, focus: `select[name="${select.name}"]`, scroll: false });
});

/* Rows are hidden here and nowhere else: no number and no group depends on what is shown. */
root.addEventListener("input", (event) => {
  const box = event.target.closest("[data-rows]");
  if (!box) return;
  const wanted = box.value.trim().toLowerCase();
  const rows = [...root.querySelectorAll(`#${box.dataset.rows} tbody tr`)];
  for (const row of rows) row.hidden = !row.querySelector("th").textContent.toLowerCase().includes(wanted);
  const said = root.querySelector(`#${box.dataset.rows}-shown`);
  if (said) said.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows are shown.`;
});

/* The page shows another step of the same pair: its links and its address say so. */
function standAt(address) {
  const link = root.querySelector(".address");
  link.setAttribute("href", address);
  link.textContent = address;
  root.querySelector("[data-copy]").dataset.copy = address;
  history.replaceState(history.state, "", withHostNames(address));
  tellHost(address);
}

/* Says so beside the button. */
async function copyText(button, text) {
  const said = button.parentElement.querySelector(".copied");
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = "Copied.";
  } catch (error) {
    said.textContent = text.length < 2000 ? `This browser does not let a page copy. It is ${text}` : "This browser does not let a page copy.";
  }
}

function tableOf(button) {
  const named = button.dataset.copyTable;
  return named ? document.getElementById(named) : button.closest(".tools").previousElementSibling.querySelector("table");
}

/* By numbers where there are some, else by words; what has none comes last. The furthest number comes first. */
function sortBy(head) {
  const table = head.closest("table"), column = head.cellIndex;
  const isNumber = head.classList.contains("number");
  const turned = head.getAttribute("aria-sort") === (isNumber ? "descending" : "ascending");
  const words = (row) => row.cells[column].textContent.trim();
  const value = (row) => Number(words(row).replace("−", "-").replace("<", ""));
  const known = (row) => (isNumber ? Number.isFinite(value(row)) && words(row) !== "" : words(row) !== "");
  const before = (one, other) => (isNumber ? value(other) - value(one) : words(one).localeCompare(words(other)));
  for (const body of table.tBodies) {
    const rows = [...body.rows].sort((one, other) =>
      known(one) && known(other) ? before(one, other) * (turned ? -1 : 1) : Number(known(other)) - Number(known(one)));
    body.append(...rows);
  }
  for (const each of table.querySelectorAll("th[aria-sort]")) mark(each, "none");
  mark(head, isNumber === turned ? "ascending" : "descending");
}

function mark(head, state) {
  head.setAttribute("aria-sort", state);
  head.querySelector(".arrow").textContent = { ascending: " ▲", descending: " ▼", none: " ↕" }[state];
}

/* What is seen of a table, for a spreadsheet. A cell that one would run gets a quote in front, as in the CSV. */
function inTabs(table) {
  const cell = (each) => {
    const copy = each.cloneNode(true);
    for (const drawing of copy.querySelectorAll("svg")) drawing.remove();
    for (const end of copy.querySelectorAll("br, summary, .letter")) end.after(" ");
    return copy.textContent.replace(/\s+/g, " ").trim().replace(/^(?=[=+@]|-(?![\d.<]))/, "'");
  };
  const rows = [...table.rows].filter((row) => !row.hidden);
  return rows.map((row) => [...row.cells].map(cell).join("\t")).join("\n");
}

async function download(button) {
  // A table of the view is what its address shows; other files are of all results.
  const name = button.dataset.download, address = root.querySelector(".address")?.getAttribute("href");
  const file = await ask(() => ("ofView" in button.dataset ? server.download_of_view(name, address) : server.download_table(name)));
  if (!file) return;
  const bytes = Uint8Array.from(atob(file.base64), (character) => character.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: file.media_type }));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

window.addEventListener("popstate", () => {
  if (root.isConnected) show(window.location.search, { push: false });
});

learn.attach(root);
branching.attach(root, standAt);
settle();
/* The content that came along is that of the bare address. */
if ([...new URLSearchParams(window.location.search).keys()].some((name) => !name.startsWith("__"))) {
  show(window.location.search, { push: false, scroll: false });
}
