// node serve.mjs CHROMIUM URL TOKEN AXE [PICTURES]: opens the pages of `taper serve` and prints what is wrong with them. AXE is the file
// axe.min.js of axe-core, or empty. The server wants TOKEN, and has the models `plain` and `hostile`, whose second label is markup.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";

const [program, url, token, axe, pictures] = process.argv.slice(2);
const problems = [];
const wrong = (where, what) => problems.push(`${where}: ${what}`);
const axeSource = axe ? readFileSync(axe, "utf8") : "";
const chromium = new Chromium(program);

// A browser that hangs must not hang the tests.
setTimeout(() => {
  console.log("the browser takes longer than 5 minutes");
  chromium.process.kill("SIGKILL");
  process.exit(1);
}, 5 * 60 * 1000).unref();

async function looksRight(page, where) {
  const over = await page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  if (over > 0) wrong(where, `the page is ${over} px wider than the window`);
  if (pictures) await page.picture(join(pictures, `${where.replace(/[ ,/]+/g, "-")}.png`));
  if (!axeSource) return;
  // The page's own policy keeps scripts out; the browser's tools may run them.
  await page.run(axeSource + ";0");
  const found = await page.run(`axe.run({ resultTypes: ["violations"] }).then((result) => result.violations.map(({ id, nodes }) =>
    id + " (" + nodes.length + "): " + nodes[0].html.slice(0, 200) + " " + nodes[0].failureSummary))`);
  found.forEach((violation) => wrong(where, violation));
}

async function until(page, where, condition) {
  for (let i = 0; i < 200 && !(await page.run(condition)); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  if (!(await page.run(condition))) wrong(where, `it never holds that ${condition}: ${await page.run("document.body.innerText")}`);
}

const looks = [390, 1280].flatMap((width) => ["light", "dark"].map((scheme) => [width, scheme]));

async function home() {
  const page = await chromium.page();
  for (const [width, scheme] of looks) {
    const where = `home, ${width} px, ${scheme}`;
    await page.size(width);
    await page.medium(scheme);
    await page.open(url + "/");
    // Without the token the page asks for it, and says so.
    await until(page, where, `!document.getElementById("secret").hidden && result.textContent.includes("token")`);
    const submit = (text, model) => page.run(`(() => {
      document.getElementById("token").value = ${JSON.stringify(token)};
      document.getElementById("text").value = ${JSON.stringify(text)};
      if (${JSON.stringify(model)}) document.getElementById("model").value = ${JSON.stringify(model)};
      document.querySelector("button").click();
    })()`);
    await submit("味道很好", "");
    await until(page, where, `document.querySelectorAll("#result .bar").length === 2`);
    const shown = await page.run(`[...document.querySelectorAll("#result .bar")].map((bar) => [bar.getBoundingClientRect().width /
      bar.parentElement.getBoundingClientRect().width, parseFloat(bar.closest("dl").querySelectorAll("dd:not(.track)")[
      [...document.querySelectorAll("#result .bar")].indexOf(bar)].textContent) / 100])`);
    for (const [bar, said] of shown) if (Math.abs(bar - said) > 0.02) wrong(where, `a bar of ${bar} for ${said}`);
    if (shown.length !== 2 || Math.abs(shown[0][1] + shown[1][1] - 1) > 0.002) wrong(where, `probabilities ${shown}`);
    await looksRight(page, `${where}, an answer`);
    // Markup is text, in the sentence and in labels.
    await submit("<img src=x onerror=window.hacked=1>", "hostile");
    await until(page, where, `result.textContent.includes("<img src=x")`);
    await submit(" ", "plain");
    await until(page, where, `document.querySelector("#result .wrong")?.textContent.includes("the text is empty")`);
    await looksRight(page, `${where}, an error`);
    if (await page.run("window.hacked")) wrong(where, "a text was run");
  }
  // Chromium reports the answers 401 and 400, which are meant.
  page.said.filter((text) => !/status of 40[01]/.test(text)).forEach((text) => wrong("home", `says ${text}`));
  const own = (request) => request.startsWith(url + "/") && !request.endsWith("/x");
  page.requests.filter((request) => !own(request)).forEach((request) => wrong("home", `requests ${request.slice(0, 200)}`));
  await page.close();
}

async function docs() {
  const page = await chromium.page();
  for (const [width, scheme] of looks) {
    await page.size(width);
    await page.medium(scheme);
    await page.open(url + "/docs");
    await looksRight(page, `docs, ${width} px, ${scheme}`);
  }
  page.said.forEach((text) => wrong("docs", `says ${text}`));
  page.requests.filter((request) => request !== url + "/docs").forEach((request) => wrong("docs", `requests ${request}`));
  await page.close();
}

try {
  await home();
  await docs();
  console.log("2 pages");
} catch (error) {
  wrong("check", error.stack);
}
await chromium.close().catch(() => {});
problems.forEach((problem) => console.log(problem));
process.exit(problems.length ? 1 : 0);
