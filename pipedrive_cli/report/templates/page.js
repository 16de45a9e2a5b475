// Sorts and searches the table of problems. It only reads and moves elements of the page; it makes no markup from text.
"use strict";
const table = document.getElementById("problems");
if (table) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;

  table.querySelectorAll("th[data-sorts]").forEach((heading) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const now = heading.getAttribute("aria-sort");
      const first = heading.dataset.first ?? "ascending";
      const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", next);
      const column = heading.cellIndex;
      const sign = next === "ascending" ? 1 : -1;
      rows.sort((a, b) => key(a, column).localeCompare(key(b, column), undefined, { numeric: true }) * sign);
      body.append(...rows);
    });
  });

  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const opened = new Set();
  search.parentElement.hidden = false;
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row) => {
      const has = (element, word) => element.textContent.toLowerCase().includes(word);
      row.hidden = !words.every((word) => has(row, word));
      // If a hidden example matches, it is opened, and closed again by the next search.
      const examples = row.querySelector("details");
      if (!examples) return;
      const within = words.length > 0 && words.some((word) => has(examples, word));
      if (within && !examples.open) opened.add(examples);
      if (within || opened.has(examples)) examples.open = within;
      if (!within) opened.delete(examples);
    });
    const shown = rows.filter((row) => !row.hidden).length;
    found.textContent = words.length === 0 ? "" : `${shown} of ${rows.length} problems`;
  });
}
