/* On a narrow screen a table is a block for each row: its cells say what they are by the head of their column.
   On a wide one no short word of a table breaks: columns are as wide as their longest words, or as many letters as fit. */
const longest = cell => Math.max(...cell.textContent.split(/\s+/).map(word => word.length));

for (const table of document.querySelectorAll(".md-typeset table:not([class])")) {
  const columns = [...table.querySelectorAll("thead th")].map((head, at) => {
    const cells = [...table.tBodies].flatMap(body => [...body.rows].map(row => row.cells[at])).filter(Boolean);
    const name = head.textContent.trim();
    if (at && !name.startsWith("what")) cells.forEach(cell => { cell.dataset.head = name; });
    return { head, letters: Math.max(...[head, ...cells].map(longest)) };
  });
  for (const most of [20, 16, 12, 10, 8, 6, 0]) {
    for (const { head, letters } of columns) head.style.minWidth = `calc(${Math.min(letters, most)}ch + 1.6em)`;
    if (table.offsetWidth <= table.parentElement.clientWidth) break;
  }
}
