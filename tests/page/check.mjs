// node check.mjs CHROMIUM AXE FOLDER [PICTURES]: opens the report.html of each folder within FOLDER and prints what is wrong with it.
// AXE is the file axe.min.js of axe-core.
import { createServer } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Chromium } from "./chromium.mjs";

const [program, axe, folder, pictures] = process.argv.slice(2);
const problems = [];
const wrong = (where, what) => problems.push(`${where}: ${what}`);
const axeSource = readFileSync(axe, "utf8");
const chromium = new Chromium(program);

// A browser that hangs must not hang the tests.
setTimeout(() => {
  console.log("the browser takes longer than 20 minutes");
  chromium.process.kill("SIGKILL");
  process.exit(1);
}, 20 * 60 * 1000).unref();

async function accessible(page, where) {
  const found = await page.run(`axe.run({ resultTypes: ["violations"] }).then((result) => result.violations.map(({ id, nodes }) =>
    id + " (" + nodes.length + "): " + nodes[0].html.slice(0, 200) + " " + nodes[0].failureSummary))`);
  found.forEach((violation) => wrong(where, violation));
}

async function fits(page, where) {
  const over = await page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  if (over > 0) wrong(where, `the page is ${over} px wider than the window`);
}

// A table is sorted upwards, downwards and back, and reasons stay below their rows.
async function sorts(page, where, full) {
  const result = await page.run(`(() => {
    const table = [...document.querySelectorAll("main table")].find((table) => table.querySelector("th.n button"));
    if (!table) return "no table";
    const heading = table.querySelector("th.n button").closest("th");
    const column = [...heading.parentElement.cells].indexOf(heading);
    const rows = () => [...table.tBodies[0].rows].map((row) => row.textContent);
    const numbers = () => [...table.tBodies[0].rows].filter((row) => !row.classList.contains("why"))
      .map((row) => numberIn(row.cells[column].firstChild?.textContent.trim() ?? "")).filter((number) => !isNaN(number));
    const before = rows();
    const seen = [];
    for (let i = 0; i < 3; i++) {
      heading.querySelector("button").click();
      seen.push([heading.getAttribute("aria-sort"), numbers()]);
    }
    const up = [...seen[0][1]].sort((a, b) => a - b);
    if (String(seen[0][1]) !== String(up)) return "not upwards: " + seen[0][1];
    if (String(seen[1][1]) !== String(up.reverse())) return "not downwards: " + seen[1][1];
    if (String(seen.map(([order]) => order)) !== "ascending,descending,") return "aria-sort: " + seen.map(([order]) => order);
    return String(rows()) === String(before) ? "" : "the third click does not restore the order";
  })()`);
  if (result && (result !== "no table" || full)) wrong(where, `sorting: ${result}`);
}

// A value is shown beside the pointer, and with the arrow keys.
async function showsValues(page, where, full) {
  const kind = (await page.run("innerWidth")) <= 688 ? "narrow" : "wide";
  const at = await page.run(`(() => {
    const figure = document.querySelector("figure[data-values]");
    if (!figure) return null;
    figure.scrollIntoView({ block: "center" });
    const chart = figure.querySelector(".${kind}");
    const frame = chart.getBoundingClientRect();
    const [x, y] = valuesOf(figure)[0].${kind}.map((place) => place * frame.width / chart.firstElementChild.viewBox.baseVal.width);
    return [frame.left + x, frame.top + y];
  })()`);
  if (!at && full) wrong(where, "no chart has values");
  if (!at) return;
  const shown = `(() => { const box = document.querySelector("figure[data-values] .value"); return box.hidden ? "" : box.textContent; })()`;
  await page.moveTo(...at);
  if (!(await page.run(shown))) wrong(where, "no value beside the pointer");
  await page.moveTo(1, 1);
  if (await page.run(shown)) wrong(where, "the value stays when the pointer has left");
  await page.run(`document.querySelector("figure[data-values] .${kind}").focus()`);
  await page.press("ArrowRight");
  const first = await page.run(shown);
  await page.press("ArrowRight");
  const second = await page.run(shown);
  if (!first || !second || first === second) wrong(where, `arrow keys show “${first}” and “${second}”`);
  await page.press("Escape");
  if (await page.run(shown)) wrong(where, "Escape does not hide the value");
}

// The first stop of the tab key leads past the contents.
async function skips(page, address, where) {
  await page.open(address);
  await page.press("Tab");
  const skip = await page.run(`document.activeElement.className === "skip" && document.activeElement.getBoundingClientRect().top >= 0`);
  if (!skip) wrong(where, "the first stop of the tab key is not the visible skip link");
  await page.press("Enter");
  if ((await page.run("document.activeElement.id")) !== "main") wrong(where, "the skip link does not lead to the content");
}

// Without scripts nothing is missing: what is seen then is what is seen with them.
async function completeWithoutScript(page, address, where) {
  const seen = `document.querySelectorAll("details").forEach((part) => part.open = true), document.body.innerText.replace(/\\s+/g, " ")`;
  const withScript = await page.run(seen);
  await page.send("Emulation.setScriptExecutionDisabled", { value: true });
  await page.open(address);
  const without = await page.run(seen);
  await page.send("Emulation.setScriptExecutionDisabled", { value: false });
  if (withScript !== without) wrong(where, "its text differs without scripts");
  if (without.length < 200) wrong(where, `only ${without.length} characters of text`);
}

// Printed, everything folded is there.
async function prints(page, where) {
  await page.medium("light", "print");
  // Cells that say what columns beside them say have no display on a wide page.
  const hidden = await page.run(`[...document.querySelectorAll("details:not([open]) td")].filter((cell) => getComputedStyle(cell).display !== "none" && !cell.getClientRects().length).length`);
  if (hidden) wrong(where, `${hidden} cells are not printed`);
  // The width of A4 paper.
  await page.size(794);
  await fits(page, `${where}, printed`);
  await page.size(1280);
}

// A page that a server refreshes: what the reader has changed stays.
async function refreshes() {
  const read = (name) => readFileSync(join(folder, "live", name), "utf8");
  const version = (html) => html.match(/data-version="(\d+)"/)[1];
  let html = read("report.html");
  const tell = [];
  const server = createServer((request, answer) => {
    if (request.url !== "/events") return answer.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(html);
    answer.writeHead(200, { "Content-Type": "text/event-stream" }).write(`event: page\ndata: ${version(html)}\n\n`);
    tell.push((text) => answer.write(text));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const page = await chromium.page();
  await page.size(1280);
  await page.open(`http://127.0.0.1:${server.address().port}/`);
  const until = async (condition) => {
    for (let i = 0; i < 200 && !(await page.run(condition)); i++) await new Promise((resolve) => setTimeout(resolve, 50));
    if (!(await page.run(condition))) wrong("live", `it never holds that ${condition}`);
  };
  await until(`live.textContent.endsWith("as they are.")`);
  await page.run(`document.querySelectorAll("main details").forEach((part) => part.open = true);
    document.querySelector("#ranking ~ .scroll th.n button").click();
    document.querySelector("#training").scrollIntoView(); scrollBy(0, 40); document.querySelector("summary").focus({ preventScroll: true })`);
  const state = `[document.querySelectorAll("main details[open]").length, document.querySelectorAll("main [aria-sort]").length,
    Math.round(document.querySelector("#training").getBoundingClientRect().top), document.activeElement.tagName].join(" ")`;
  const before = await page.run(state);
  html = read("newer.html");
  tell.forEach((say) => say(`event: page\ndata: ${version(html)}\n\n`));
  await until(`document.querySelector("header").textContent.includes("described anew")`);
  await until(`live.dataset.version === "${version(html)}"`);
  const after = await page.run(state);
  if (before !== after || !/^[1-9]/.test(before)) wrong("live", `“${before}” has become “${after}”`);
  tell.forEach((say) => say("event: end\ndata: all is done\n\n"));
  await until(`live.textContent === "all is done"`);
  page.said.forEach((text) => wrong("live", `says ${text}`));
  await page.close();
  server.closeAllConnections();
  server.close();
}

async function check(name) {
  const address = pathToFileURL(join(folder, name, "report.html")).href;
  const page = await chromium.page();
  for (const width of [390, 768, 1280]) {
    await page.size(width);
    await page.open(address);
    await page.run(axeSource + ";0");
    for (const scheme of ["light", "dark"]) {
      const where = `${name}, ${width} px, ${scheme}`;
      await page.medium(scheme);
      await fits(page, where);
      if (pictures) await page.picture(join(pictures, `${name}-${width}-${scheme}.png`));
      // The smallest and the largest width have all arrangements, and the colours do not depend on the width.
      if (width === 1280 || (width === 390 && scheme === "light")) await accessible(page, where);
    }
    const where = `${name}, ${width} px`;
    // Sweeps have charts and tables of numbers.
    const full = ["twelve", "hundred", "thousand", "chinese"].includes(name);
    await showsValues(page, where, full);
    if (width === 1280) {
      await skips(page, address, where);
      await page.run(axeSource + ";0");
      await sorts(page, where, full);
      await page.run(`document.querySelectorAll("details").forEach((part) => part.open = true)`);
      await fits(page, `${where}, unfolded`);
      if (name !== "thousand") await accessible(page, `${where}, unfolded`);
      await page.run(`document.querySelectorAll("details").forEach((part) => part.open = false)`);
      await prints(page, where);
      await page.medium("light");
      await completeWithoutScript(page, address, where);
    }
    if (await page.run("window.hacked")) wrong(where, "a text of the user was run");
  }
  page.said.forEach((text) => wrong(name, `says ${text}`));
  page.requests.filter((request) => request !== address).forEach((request) => wrong(name, `requests ${request.slice(0, 200)}`));
  await page.close();
}

try {
  const names = readdirSync(folder).sort();
  // Opened as a file, the page of a server has no server to ask.
  for (const name of names.filter((name) => name !== "live")) await check(name);
  if (names.includes("live")) await refreshes();
  console.log(`${names.length} pages`);
} catch (error) {
  wrong("check", error.stack);
}
await chromium.close().catch(() => {});
problems.forEach((problem) => console.log(problem));
process.exit(problems.length ? 1 : 0);
