"use strict";
document.documentElement.classList.add("js");
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const key = (row, n) => row.cells[n].dataset.sort ?? row.cells[n].textContent.trim();
  heads.forEach((head, n) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const number = body.rows.length > 0 && body.rows[0].cells[n].dataset.sort !== undefined;
      const first = head.classList.contains("num") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      const sign = order === "ascending" ? 1 : -1;
      const rows = Array.from(body.rows);
      rows.sort((a, b) => sign * (number ? key(a, n) - key(b, n) : key(a, n).localeCompare(key(b, n))));
      body.append(...rows);
      heads.forEach(h => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
    });
  });
}
for (const form of document.querySelectorAll("form.filters")) {
  const body = document.getElementById(form.dataset.table).tBodies[0];
  const show = () => {
    const namespace = form.elements.namespace.value;
    const verdict = form.elements.verdict.value;
    const text = form.elements.text.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      const fits = (!namespace || row.dataset.namespace === namespace) && (!verdict || row.dataset.verdict === verdict) && (!text || row.textContent.toLowerCase().includes(text));
      row.hidden = !fits;
      if (fits) shown++;
    }
    const all = body.rows.length;
    form.querySelector("output").textContent = (shown === all ? "" : shown + " of ") + all + (all === 1 ? " workload" : " workloads");
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", event => { event.preventDefault(); show(); });
}
