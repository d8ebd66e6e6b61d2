"use strict";
// Sorting, filtering and searching for a page that is complete without any of them.
(() => {
  const textOf = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? cell.dataset.value : cell.textContent.trim();
  };

  // The number a cell starts with: "−5.1 pp [−7.0, −3.2]" is -5.1.
  const numberOf = (text) => {
    const found = text.replaceAll(",", "").replace("−", "-").replace("∞", "Infinity").match(/^[+-]?(\d[\d.]*(e-?\d+)?|Infinity)/);
    return found === null ? NaN : Number(found[0]);
  };

  const sort = (table, column, down) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, text: textOf(row, column) }));
    const present = rows.filter(({ text }) => text !== "" && !text.startsWith("—"));
    const absent = rows.filter((one) => !present.includes(one)); // stays last
    const numeric = present.every(({ text }) => !Number.isNaN(numberOf(text)));
    present.sort((one, other) =>
      numeric ? numberOf(one.text) - numberOf(other.text) : one.text.localeCompare(other.text));
    if (down) present.reverse();
    body.append(...[...present, ...absent].map(({ row }) => row));
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
    for (const more of document.querySelectorAll("details.more")) {
      more.open = needle !== "" && more.querySelector("tr[data-verdict]:not([hidden])") !== null;
    }
    const everything = needle === "" && wanted.size === boxes.length;
    output.value = everything ? "" : output.dataset.shown.replace("#", shown).replace("#", items.length);
  };

  tools.addEventListener("input", apply);
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.hidden = false;
})();
