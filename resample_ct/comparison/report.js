// The slider of each condition's slices, and tables that sort by a click on a column's title.
"use strict";

for (const figure of document.querySelectorAll(".slides")) {
  const slides = [...figure.querySelectorAll(".slide")];
  const slider = figure.querySelector("input");
  const shown = figure.querySelector("output");
  const show = () => {
    slides.forEach((slide, place) => { slide.hidden = place !== +slider.value; });
    shown.textContent = slides[slider.value].dataset.slice;
  };
  slider.addEventListener("input", show);
  figure.querySelector(".control").hidden = slides.length < 2;
  show();
}

for (const table of document.querySelectorAll("table.sortable")) {
  const [head, ...rows] = table.rows;
  const value = (row, column) => {
    const text = row.cells[column]?.textContent.trim() ?? "";
    const number = parseFloat(text.replace("−", "-"));
    return Number.isNaN(number) ? text : number;
  };
  [...head.cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const up = cell.getAttribute("aria-sort") !== "ascending";
      [...head.cells].forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sorted = rows.slice().sort((a, b) => {
        const [one, other] = [value(a, column), value(b, column)];
        const order = typeof one === typeof other ? (one > other) - (one < other) : typeof one === "number" ? -1 : 1;
        return up ? order : -order;
      });
      sorted.forEach((row) => row.parentNode.append(row));
    });
  });
}
