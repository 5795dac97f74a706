
// Sorts tables and shows the values of charts. The page is complete without it. It asks no server for anything, and texts of
// the report are only ever inserted as text.
"use strict";
const collator = new Intl.Collator("en", { numeric: true });

// What a cell is sorted by: the number it begins with, or the seconds of a time such as 2m05s.
function numberIn(text) {
  const time = text.match(/^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?$/);
  if (text && time) {
    const [days, hours, minutes, seconds] = time.slice(1).map((part) => Number(part ?? 0));
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
  }
  const number = text.replace("\u2212", "-").replace(/(\d),(?=\d{3})/g, "$1").match(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/i);
  return number ? Number(number[0]) : NaN;
}

function cellText(row, column) {
  const cell = row.cells[column];
  return cell ? cell.dataset.sort ?? cell.firstChild?.textContent.trim() ?? "" : "";
}

function sortTable(table, column, direction) {
  const body = table.tBodies[0];
  const numeric = table.tHead.rows[0].cells[column].classList.contains("n");
  const groups = [...table.groups];
  const compare = (a, b) => {
    if (!numeric) return direction * collator.compare(a.text, b.text);
    // What is not known comes last in either order.
    if (isNaN(a.number) || isNaN(b.number)) return isNaN(a.number) - isNaN(b.number);
    return direction * (a.number - b.number);
  };
  if (direction !== 0) {
    for (const group of groups) {
      group.text = cellText(group.rows[0], column);
      group.number = numberIn(group.text);
    }
    groups.sort(compare);
  }
  body.append(...groups.flatMap((group) => group.rows));
  for (const heading of table.tHead.rows[0].cells) heading.removeAttribute("aria-sort");
  if (direction !== 0) {
    table.tHead.rows[0].cells[column].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  }
  table.sorted = { column, direction };
  if (table.sorter) table.sorter.value = direction === 0 ? "" : `${column} ${direction}`;
}

// The direction of the first click: upwards, but of a metric of which higher values are better, these first.
function firstDirection(heading) {
  return heading.dataset.best === "high" ? -1 : 1;
}

// On a phone a table has no headings: a list chooses the column and the direction.
function addSorter(table) {
  const chinese = document.documentElement.lang.startsWith("zh");
  const [label, list] = [document.createElement("label"), document.createElement("select")];
  label.className = "sorter";
  label.append(chinese ? "排序：" : "Sort by ", list);
  list.append(new Option(chinese ? "本页的顺序" : "the order of the page", ""));
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const name = heading.textContent.trim();
    if (!name) return;
    for (const direction of [firstDirection(heading), -firstDirection(heading)]) {
      list.append(new Option(`${name} ${direction > 0 ? "↑" : "↓"}`, `${column} ${direction}`));
    }
  });
  list.addEventListener("change", () => {
    const [column, direction] = list.value ? list.value.split(" ").map(Number) : [0, 0];
    sortTable(table, column, direction);
  });
  table.parentElement.before(label);
  table.sorter = list;
}

function makeSortable(table) {
  const body = table.tBodies[0];
  if (!table.tHead || table.tHead.rows.length !== 1 || !body || body.rows.length < 3) return;
  // A row with a reason belongs to the row above it.
  table.groups = [];
  for (const row of body.rows) {
    if (row.classList.contains("why") && table.groups.length) table.groups.at(-1).rows.push(row);
    else table.groups.push({ rows: [row] });
  }
  if (body.rows.length > 4 && table.classList.contains("stack")) addSorter(table);
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    if (!heading.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    // The first direction, the other one, and back to the order of the page.
    const first = firstDirection(heading);
    button.addEventListener("click", () => {
      const now = table.sorted?.column === column ? table.sorted.direction : 0;
      sortTable(table, column, now === 0 ? first : now === first ? -first : 0);
    });
  });
}

// The values of a chart: first the names of its series, one a line, then after an empty line for each value its place in the wide and in
// the narrow drawing, the number of its series or "-", and its text.
function valuesOf(figure) {
  const lines = figure.dataset.values.split("\n");
  const end = lines.indexOf("");
  const names = lines.slice(0, end);
  return lines.slice(end + 1).map((line) => {
    const [x, y, narrowX, narrowY, series, ...words] = line.split(" ");
    const name = names[series];
    return { wide: [+x, +y], narrow: [+narrowX, +narrowY], text: words.join(" "), name };
  });
}

function showValues(figure) {
  const values = valuesOf(figure);
  if (!values.length) return;
  const mark = figure.appendChild(document.createElement("div"));
  const box = figure.appendChild(document.createElement("div"));
  mark.className = "mark";
  box.className = "value";
  box.setAttribute("role", "status");
  mark.hidden = box.hidden = true;
  let shown = -1;
  const hide = () => {
    mark.hidden = box.hidden = true;
    shown = -1;
  };
  for (const kind of ["wide", "narrow"]) {
    const chart = figure.querySelector("." + kind);
    const size = chart.firstElementChild.viewBox.baseVal;
    const show = (index) => {
      shown = index;
      const value = values[index];
      const scale = chart.clientWidth / size.width;
      const [x, y] = value[kind].map((place) => place * scale);
      mark.hidden = box.hidden = false;
      mark.style.left = x + "px";
      mark.style.top = chart.offsetTop + y + "px";
      box.replaceChildren();
      if (value.name) box.append(Object.assign(document.createElement("b"), { textContent: value.name }), document.createElement("br"));
      box.append(value.text);
      box.style.left = Math.max(0, Math.min(x + 12, chart.clientWidth - box.offsetWidth)) + "px";
      box.style.top = Math.max(0, chart.offsetTop + y - box.offsetHeight - 12) + "px";
    };
    const nearest = (event) => {
      const frame = chart.getBoundingClientRect();
      const scale = size.width / frame.width;
      const [x, y] = [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
      const far = (value) => Math.hypot(value[kind][0] - x, value[kind][1] - y);
      let best = 0;
      values.forEach((value, index) => {
        if (far(value) < far(values[best])) best = index;
      });
      if (far(values[best]) < 90) show(best);
      else hide();
    };
    chart.addEventListener("pointermove", nearest);
    chart.addEventListener("pointerdown", nearest);
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("blur", hide);
    chart.tabIndex = 0;
    chart.addEventListener("keydown", (event) => {
      const last = values.length - 1;
      const to = { ArrowRight: Math.min(shown + 1, last), ArrowLeft: Math.max(shown - 1, 0), Home: 0, End: last }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        show(to);
      } else if (event.key === "Escape") hide();
    });
  }
}

// A region that shows all of its content needs no stop of the tab key.
function stopAtScrolling() {
  for (const region of document.querySelectorAll(".scroll,pre")) {
    if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  }
}

function setUp() {
  document.querySelectorAll("main table").forEach(makeSortable);
  document.querySelectorAll("figure[data-values]").forEach(showValues);
  stopAtScrolling();
}

setUp();
addEventListener("resize", stopAtScrolling);
document.addEventListener("toggle", stopAtScrolling, true);
