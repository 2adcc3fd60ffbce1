// Panels that move together: one niivue canvas for each volume, one slice, window and overlay for all.
"use strict";

const ERROR_HU = 200;
const SPREAD_HU = 200;
const find = (id) => document.getElementById(id);
const result = JSON.parse(find("result").textContent);
const state = { slice: result.slices.length >> 1, width: 1500, level: -600, overlay: "none", zoom: 1, at: [0.5, 0.5] };
const panels = [];

// Colours after Okabe and Ito. The first is clear: niivue draws a value of exactly 0 as opaque as its colour is.
const COLOURS = {
  above: { R: [230, 230, 213], G: [159, 159, 94], B: [0, 0, 0], A: [0, 255, 255], I: [0, 1, 255] },
  below: { R: [86, 86, 0], G: [180, 180, 114], B: [233, 233, 178], A: [0, 255, 255], I: [0, 1, 255] },
  spread: { R: [204, 204, 240], G: [121, 121, 228], B: [167, 167, 66], A: [0, 255, 255], I: [0, 1, 255] },
};
const OVERLAYS = {
  error: { low: `−${ERROR_HU}`, high: `+${ERROR_HU}`, bar: "#0072b2, #56b4e900 50%, #e69f0000 50%, #d55e00" },
  spread: { low: "0", high: `${SPREAD_HU}`, bar: "#cc79a700, #f0e442" },
};

async function unpack(id) {
  const element = find(`volume-${id}`);
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  element.remove();
  return niivue.NVImage.new(bytes.buffer, `${id}.nii.gz`, "gray", 1);
}

// niivue turns a volume towards RAS: the axis that the slices lie along, and whether it runs backwards.
function stacking(image) {
  const axis = image.permRAS.findIndex((from) => Math.abs(from) === 3);
  return { axis, backwards: image.permRAS[axis] < 0, plane: ["SAGITTAL", "CORONAL", "AXIAL"][axis] };
}

function place(image) {
  const { axis, backwards } = stacking(image);
  const depth = (state.slice + 0.5) / result.slices.length;
  const across = [0, 1, 2].filter((other) => other !== axis);
  const position = [0, 0, 0];
  position[axis] = backwards ? 1 - depth : depth;
  across.forEach((other, order) => { position[other] = state.at[order]; });
  return position;
}

function valueAt(image, position) {
  const voxel = [0, 0, 0];
  position.forEach((share, axis) => {
    const count = image.dimsRAS[axis + 1], from = image.permRAS[axis];
    const step = Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    voxel[Math.abs(from) - 1] = from > 0 ? step : count - 1 - step;
  });
  const [, columns, rows] = image.hdr.dims;
  return image.img[voxel[0] + columns * (voxel[1] + rows * voxel[2])];
}

function difference(image, truth) {
  const error = image.clone();
  error.img = image.img.map((value, index) => value - truth.img[index]);
  return error;
}

// niivue's colormapType 1: alpha grows as the square of the value up to cal_min, so that small values are clear.
function dress(overlay, colormap, colormapNegative, highest) {
  const opaque = 0.75 * highest;
  Object.assign(overlay, { colormap, colormapNegative, colormapType: 1, cal_min: opaque, cal_max: highest, opacity: 0.9 });
  Object.assign(overlay, { cal_minNeg: -highest, cal_maxNeg: -opaque });
  return overlay;
}

function overlayOf(panel) {
  const truth = panels[0].volume === "truth" ? panels[0].image : null;
  if (state.overlay === "error" && truth !== null && truth !== panel.image) {
    panel.error ??= dress(difference(panel.image, truth), "above", "below", ERROR_HU);
    return panel.error;
  }
  return state.overlay === "spread" ? panel.spreadImage : null;
}

function caption(panel) {
  const figures = panel.figures[result.slices[state.slice]] ?? {};
  const told = [];
  if (figures.psnr != null) told.push(`PSNR ${figures.psnr.toFixed(2)} dB`);
  if (figures.ssim != null) told.push(`SSIM ${figures.ssim.toFixed(3)}`);
  if (figures.rmse_hu != null) told.push(`RMSE ${figures.rmse_hu.toFixed(0)} HU`);
  if (figures.residual != null) told.push(`residual ${figures.residual.toPrecision(2)}`);
  panel.told.textContent = told.join(" · ");
  panel.doubt.textContent = figures.doubt ? `Do not trust the prior here: ${figures.doubt}` : "";
}

let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const panel of panels) {
      const position = place(panel.image);
      panel.nv.scene.crosshairPos = position;
      panel.nv.scene.pan2Dxyzmm = zoomed(panel.image, position);
      panel.nv.drawScene();
      const hu = valueAt(panel.image, position);
      const spread = panel.spreadImage ? ` ± ${valueAt(panel.spreadImage, position)}` : "";
      panel.value.textContent = `${hu}${spread} HU`.replace("-", "−");
      caption(panel);
    }
    const shown = result.slices[state.slice];
    find("number").textContent = `${shown}`;
    find("slice").value = state.slice;
    find("slice").setAttribute("aria-valuetext", `slice ${shown}`);
  });
}

// Zooming keeps the pixel that is pointed at near the middle.
function zoomed(image, position) {
  if (state.zoom === 1) return [0, 0, 0, 1];
  const middle = image.convertFrac2MM([0.5, 0.5, 0.5]);
  const here = image.convertFrac2MM(position);
  return [...[0, 1, 2].map((axis) => middle[axis] - here[axis]), state.zoom];
}

function rewindow() {
  find("width").value = state.width;
  find("level").value = state.level;
  for (const button of document.querySelectorAll("#presets button")) {
    const chosen = +button.dataset.width === state.width && +button.dataset.level === state.level;
    button.setAttribute("aria-pressed", chosen);
  }
  for (const { nv, image } of panels) {
    image.cal_min = state.level - state.width / 2;
    image.cal_max = state.level + state.width / 2;
    nv.updateGLVolume();
  }
  redraw();
}

function relay() {
  for (const panel of panels) {
    const overlay = overlayOf(panel);
    panel.nv.volumes.slice(1).forEach((old) => panel.nv.removeVolume(old));
    if (overlay) panel.nv.addVolume(overlay);
  }
  document.querySelector(`[name=overlay][value=${state.overlay}]`).checked = true;
  const scale = OVERLAYS[state.overlay];
  find("scale").hidden = !scale;
  if (scale) {
    find("low").textContent = scale.low;
    find("high").textContent = scale.high;
    find("bar").style.background = `linear-gradient(to right, ${scale.bar}), #000`;
  }
  redraw();
}

function scroll(steps) {
  state.slice = Math.min(result.slices.length - 1, Math.max(0, state.slice + steps));
  redraw();
}

function window_(width, level) {
  state.width = Math.min(10000, Math.max(1, Math.round(width)));
  state.level = Math.min(5000, Math.max(-5000, Math.round(level)));
  rewindow();
}

function pointAt(panel, event) {
  const box = panel.canvas.getBoundingClientRect();
  const scale = panel.canvas.width / box.width;
  const position = panel.nv.canvasPos2frac([(event.clientX - box.x) * scale, (event.clientY - box.y) * scale]);
  if (position[0] < 0) return;
  const { axis } = stacking(panel.image);
  state.at = [0, 1, 2].filter((other) => other !== axis).map((other) => position[other]);
  for (const { nv } of panels) nv.opts.crosshairWidth = 1;
  redraw();
}

function listen(panel) {
  const { canvas } = panel;
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); scroll(Math.sign(event.deltaY)); }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
    pointAt(panel, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const dragged = event.pointerType === "mouse" && event.buttons === 1;
    if (dragged) window_(state.width + 4 * event.movementX, state.level - 2 * event.movementY);
    else pointAt(panel, event);
  });
}

const KEYS = {
  ArrowUp: () => scroll(1), ArrowDown: () => scroll(-1), PageUp: () => scroll(10), PageDown: () => scroll(-10),
  Home: () => scroll(-Infinity), End: () => scroll(Infinity),
  n: () => choose("none"), e: () => choose("error"), u: () => choose("spread"),
  "+": () => zoom(state.zoom * 1.25), "-": () => zoom(state.zoom / 1.25), 0: () => zoom(1),
};

function zoom(factor) {
  state.zoom = Math.min(16, Math.max(1, factor));
  redraw();
}

function choose(overlay) {
  if (document.querySelector(`[name=overlay][value=${overlay}]`).disabled) return;
  state.overlay = overlay;
  relay();
}

function control() {
  const presets = [...document.querySelectorAll("#presets button")];
  presets.forEach((button, order) => {
    button.addEventListener("click", () => window_(+button.dataset.width, +button.dataset.level));
    KEYS[order + 1] = () => button.click();
  });
  find("slice").max = result.slices.length - 1;
  find("slice").addEventListener("input", () => { state.slice = +find("slice").value; redraw(); });
  for (const id of ["width", "level"]) {
    find(id).addEventListener("change", () => window_(+find("width").value || state.width, +find("level").value));
  }
  for (const radio of document.querySelectorAll("[name=overlay]")) {
    radio.addEventListener("change", () => choose(radio.value));
  }
  const has = { error: panels[0].volume === "truth" && panels.length > 1, spread: panels.some((panel) => panel.spread) };
  for (const [overlay, there] of Object.entries(has)) {
    document.querySelector(`[name=overlay][value=${overlay}]`).disabled = !there;
  }
  document.addEventListener("keydown", (event) => {
    if (event.target.type === "number" || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = KEYS[event.key];
    if (action) { event.preventDefault(); action(); }
  });
}

function build(described) {
  const figure = document.createElement("figure");
  figure.innerHTML = '<div class="picture"><canvas></canvas></div><figcaption><span class="top"><strong></strong> <span class="value"></span></span>'
    + '<span class="figures"></span><span class="doubt"></span></figcaption>';
  figure.querySelector("strong").textContent = described.title;
  figure.querySelector("canvas").setAttribute("aria-label", described.title);
  find("panels").append(figure);
  const part = (name) => figure.querySelector(name);
  return { ...described, canvas: part("canvas"), value: part(".value"), told: part(".figures"), doubt: part(".doubt") };
}

function facts() {
  const told = [];
  if (result.measurement) told.push(`${result.measurement.views} views`, `noise ${result.measurement.noise}`);
  const count = result.slices.length;
  const slices = result.total === 1 ? "slice" : "slices";
  told.push(count === result.total ? `${count} ${slices}` : `${count} of ${result.total} ${slices}`);
  if (result.left_out.length) told.push(`not shown: ${result.left_out.join(", ")}`);
  find("facts").textContent = told.join(" · ");
}

async function open() {
  facts();
  for (const [order, described] of result.panels.entries()) {
    find("status").textContent = `Opening ${order + 1} of ${result.panels.length}: ${described.title}…`;
    const panel = build(described);
    panel.image = await unpack(described.volume);
    if (described.spread) panel.spreadImage = dress(await unpack(described.spread), "spread", "", SPREAD_HU);
    const { plane } = stacking(panel.image);
    panel.nv = new niivue.Niivue({
      interactive: false, dragAndDropEnabled: false, isRadiologicalConvention: true, sagittalNoseLeft: true, isCornerOrientationText: true,
      sliceType: niivue.SLICE_TYPE[plane], crosshairWidth: 0, crosshairGap: 8, crosshairColor: [0.34, 0.71, 0.91, 0.5],
      loadingText: "", logLevel: "error",
    });
    await panel.nv.attachToCanvas(panel.canvas);
    for (const [name, colours] of Object.entries(COLOURS)) panel.nv.addColormap(name, colours);
    panel.nv.addVolume(panel.image);
    listen(panel);
    panels.push(panel);
  }
  control();
  rewindow();
  find("status").textContent = "";
  document.body.dataset.ready = "yes";
}

open().catch((error) => {
  find("status").textContent = `The pictures cannot be shown here (${error.message}); a browser with WebGL 2 is needed. `
    + "The NIfTI and DICOM files beside this page open in any viewer.";
});
