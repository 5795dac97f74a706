
// Refreshes the page when its server says that there is a newer version. Only pages of `taper report --watch` have this part.
const live = document.getElementById("live");

// Where the reader is: the heading above the top of the window, and how far above it is.
function place() {
  const headings = [...document.querySelectorAll("h1,h2[id]")];
  const above = headings.filter((heading) => heading.getBoundingClientRect().top <= 0).at(-1);
  return above && { id: above.id, top: above.getBoundingClientRect().top };
}

// The parts of the page by the heading that they are under: what the reader has changed is kept by these names.
function named(selector) {
  const parts = new Map();
  let heading = "";
  for (const part of document.querySelectorAll("h2[id]," + selector)) {
    if (part.matches("h2")) heading = part.id;
    let number = 0;
    while (parts.has(heading + number)) number++;
    if (!part.matches("h2")) parts.set(heading + number, part);
  }
  return parts;
}

async function refresh() {
  const answer = await fetch("/", { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.statusText);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [where, focused] = [place(), document.activeElement];
  const stops = "a,button,summary,[tabindex]";
  const stop = [...document.querySelectorAll(stops)].indexOf(focused);
  const open = [...named("details")].filter(([, part]) => part.open).map(([name]) => name);
  const sorted = [...named("main table")].filter(([, table]) => table.sorted).map(([name, table]) => [name, table.sorted]);
  for (const id of ["top", "contents", "main", "end"]) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (old && fresh) old.replaceWith(document.adoptNode(fresh));
  }
  document.title = page.title;
  live.dataset.version = page.getElementById("live")?.dataset.version ?? live.dataset.version;
  setUp();
  const [details, tables] = [named("details"), named("main table")];
  for (const name of open) details.get(name)?.setAttribute("open", "");
  for (const [name, { column, direction }] of sorted) {
    if (tables.get(name)?.groups && column < tables.get(name).tHead.rows[0].cells.length) sortTable(tables.get(name), column, direction);
  }
  if (stop >= 0) document.querySelectorAll(stops)[stop]?.focus({ preventScroll: true });
  const heading = where && document.getElementById(where.id);
  if (heading) scrollBy({ top: heading.getBoundingClientRect().top - where.top, behavior: "instant" });
}

let refreshing = Promise.resolve();
const events = new EventSource("/events");
events.addEventListener("page", (event) => {
  live.textContent = "The runs are still being trained. This page is refreshed as they are.";
  refreshing = refreshing.then(() => (event.data === live.dataset.version ? null : refresh())).catch(() => {});
});
events.addEventListener("end", (event) => {
  events.close();
  refreshing = refreshing.then(refresh).then(() => event.data, () => "The training has ended, but the last page could not be loaded.");
  refreshing.then((said) => (live.textContent = said));
});
events.onerror = () => {
  live.textContent = "The server does not answer: this page is not refreshed.";
};
