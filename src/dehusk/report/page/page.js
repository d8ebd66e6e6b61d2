"use strict";
// Sorting, filtering and searching for a page that is complete without any of them.
(() => {
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    const text = "value" in cell.dataset ? cell.dataset.value : cell.textContent.trim();
    const number = Number(text);
    return text === "" || text.startsWith("—") ? null : Number.isNaN(number) ? text : number;
  };

  const compare = (one, other) =>
    typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));

  const sort = (table, column, down) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [keyOf(row, column), row]);
    rows.sort(([one], [other]) => {
      if (one === null || other === null) return (one === null) - (other === null); // what is missing stays last
      return down ? compare(other, one) : compare(one, other);
    });
    body.append(...rows.map(([, row]) => row));
  };

  for (const table of document.querySelectorAll("table[data-sort]")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if ("fixed" in head.dataset) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down);
      });
    });
  }

  const tools = document.querySelector("form.tools");
  if (tools === null) return; // nothing was found
  const search = document.getElementById("search");
  const boxes = [...tools.querySelectorAll("input[name=verdict]")];
  const output = tools.querySelector("output");
  const items = [...document.querySelectorAll("[data-verdict]")].map((node) => ({
    node,
    text: node.textContent.toLowerCase(),
    proofs: [...node.querySelectorAll("details.proof")].map((proof) => [proof, proof.textContent.toLowerCase()]),
  }));

  const apply = () => {
    const needle = search.value.trim().toLowerCase();
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const { node, text, proofs } of items) {
      const fits = wanted.has(node.dataset.verdict) && text.includes(needle);
      node.hidden = !fits;
      shown += fits;
      for (const [proof, words] of proofs) proof.open = needle !== "" && words.includes(needle);
    }
    for (const passed of document.querySelectorAll("details.passed")) {
      passed.open = needle !== "" && passed.querySelector("tr[data-verdict]:not([hidden])") !== null;
    }
    const everything = needle === "" && wanted.size === boxes.length;
    output.value = everything ? "" : output.dataset.shown.replace("#", shown).replace("#", items.length);
  };

  tools.addEventListener("input", apply);
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.hidden = false;
})();
