// Sorts and searches the table of problems. Reads and moves what the page already holds; makes no markup from text.
"use strict";
const table = document.getElementById("problems");
if (table) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;

  table.querySelectorAll("th button").forEach((button) => {
    const heading = button.parentElement;
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const column = heading.cellIndex;
      rows.sort((a, b) => key(a, column).localeCompare(key(b, column), undefined, { numeric: true }) * (down ? -1 : 1));
      body.append(...rows);
    });
  });

  const search = document.getElementById("search");
  const found = document.getElementById("found");
  search.parentElement.hidden = false;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    rows.forEach((row) => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
    found.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
}
