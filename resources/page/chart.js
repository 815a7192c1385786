// The chart: which candles are in view, and how they are painted on a canvas. It paints once for each frame at most.
//
// Horizontally it counts places: that of slot n, its number while nothing is left out, lies from n to n + 1. So missing
// candles leave room, and closed time does not. Everything is laid out in device pixels, where edges are sharp.

import { timesBetween, valueStep, valuesBetween } from "./axes.js";
import { countdown, mark, openTime, price, quantity, shortQuantity } from "./formats.js";

const LEAST_SLOT_PX = 1;
const MOST_SLOT_PX = 80;
const FIRST_SLOT_PX = 9;
const FONT = "system-ui, sans-serif";
const BODY_SHARE = 0.82; // of a slot's width
const PALETTE = "background line grid text dim rising falling warning".split(" ");

/** Events: ``view`` (other candles are in view) and ``cursor`` (the crosshair is at another candle). */
export class Chart extends EventTarget {
    series = null;
    decimals = 2;
    quantityDecimals = 3;
    volumeTitle = "Volume";
    topInset = 40; // css pixels that the readout covers
    /** Where the crosshair is: { slot, y } with y in css pixels, or null. */
    cursor = null;
    nowS = () => Date.now() / 1_000;
    #canvas;
    #context;
    #ratio = 1;
    #slotPx = FIRST_SLOT_PX; // css pixels
    #right = 0; // the place at the right edge of the plot
    #isDue = false;
    #colours = {};
    #axisPx = 64; // css pixels
    #widths = new Map();

    constructor(canvas) {
        super();
        this.#canvas = canvas;
        this.#context = canvas.getContext("2d", { alpha: false });
        new ResizeObserver(() => this.#resize()).observe(canvas);
        addEventListener("themechange", () => this.#readColours());
        this.#readColours();
    }

    // The view

    get plotWidth() {
        return Math.max(this.#canvas.clientWidth - this.#axisPx, 1);
    }

    /** The places at the edges of the plot. */
    get view() {
        return { left: this.#right - this.plotWidth / this.#slotPx, right: this.#right };
    }

    get #isEmpty() {
        return this.series === null || this.series.isEmpty;
    }

    /** Whether the newest candle is in view. */
    get isAtLatest() {
        return this.#isEmpty || this.#right >= this.series.lastPlace + 1;
    }

    get #restingRight() {
        const slots = this.plotWidth / this.#slotPx;
        return this.series.lastPlace + 1 + Math.min(Math.max(slots * 0.04, 2), 8);
    }

    /** Show a series from its newest candle on. */
    show(series) {
        this.series = series;
        this.cursor = null;
        this.goToLatest();
    }

    goToLatest() {
        if (!this.#isEmpty) this.#right = this.#restingRight;
        this.#moved();
    }

    goToFirst() {
        if (this.#isEmpty) return;
        this.#right = this.series.firstPlace + this.plotWidth / this.#slotPx;
        this.#moved();
    }

    /** Move the candles by css pixels to the right. Return whether there was room. */
    pan(pixels) {
        const before = this.#right;
        this.#right -= pixels / this.#slotPx;
        this.#moved();
        return this.#right !== before;
    }

    /** Widen the slots by a factor; what is at ``x``, css pixels, stays there. */
    zoom(factor, x = this.plotWidth) {
        const before = this.#slotPx;
        const least = LEAST_SLOT_PX / Math.min(this.#ratio, 2);
        this.#slotPx = Math.min(Math.max(before * factor, least), MOST_SLOT_PX);
        const staysLatest = x >= this.plotWidth && this.isAtLatest;
        const fromRight = this.plotWidth - x;
        this.#right += fromRight / this.#slotPx - fromRight / before;
        if (staysLatest && !this.#isEmpty) this.#right = this.#restingRight;
        this.#moved();
    }

    /** Follow what has changed in the series; ``lastBefore`` was its last place. */
    follow(lastBefore) {
        const { firstPlace, lastPlace } = this.series;
        if (lastPlace > lastBefore && lastBefore >= firstPlace && this.#right >= lastBefore + 1) {
            this.#right += lastPlace - lastBefore;
        }
        this.#moved();
    }

    /** Put the crosshair at a point of the canvas, css pixels; null takes it away. */
    point(x, y) {
        const isOut = x === null || x > this.plotWidth || y > this.#heights().bottom || this.#isEmpty;
        this.cursor = isOut ? null : { slot: this.series.places.slot(Math.floor(this.view.left + x / this.#slotPx)), y };
        this.#pointed();
    }

    /** Move the crosshair by candles; it begins at the newest in view. */
    step(candles) {
        if (this.#isEmpty) return;
        const { left, right } = this.view;
        const { places, firstPlace, lastPlace } = this.series;
        const pointed = this.cursor === null ? null : places.of(this.cursor.slot);
        const from = pointed ?? Math.min(lastPlace, Math.floor(right) - 1) - Math.sign(candles);
        const place = Math.min(Math.max(from + candles, firstPlace), lastPlace);
        this.cursor = { slot: places.slot(place), y: this.cursor?.y ?? null };
        if (place < left) this.pan((left - place) * this.#slotPx);
        else if (place + 1 > right) this.pan((right - place - 1) * this.#slotPx);
        this.#pointed();
    }

    #pointed() {
        this.dispatchEvent(new Event("cursor"));
        this.update();
    }

    #moved() {
        const { series } = this;
        if (!this.#isEmpty) {
            const slots = this.plotWidth / this.#slotPx;
            const kept = Math.min(slots / 2, 10);
            const [least, most] = [series.firstPlace + kept, series.lastPlace + 1 + slots - kept];
            this.#right = Math.min(Math.max(this.#right, least), most);
        }
        this.dispatchEvent(new Event("view"));
        this.update();
    }

    // Painting

    /** Paint soon. */
    update() {
        if (this.#isDue) return;
        this.#isDue = true;
        requestAnimationFrame(() => {
            this.#isDue = false;
            this.#paint();
        });
    }

    #resize() {
        const wasLatest = this.isAtLatest;
        this.#ratio = devicePixelRatio || 1;
        this.#canvas.width = Math.round(this.#canvas.clientWidth * this.#ratio);
        this.#canvas.height = Math.round(this.#canvas.clientHeight * this.#ratio);
        this.#widths.clear();
        this.cursor = null;
        if (wasLatest && !this.#isEmpty) this.#right = this.#restingRight;
        this.#moved();
        this.#paint(); // at once: a canvas that was resized is empty
    }

    #readColours() {
        const style = getComputedStyle(document.documentElement);
        for (const name of PALETTE) this.#colours[name] = style.getPropertyValue(`--${name}`).trim();
        const { background, rising, falling, text } = this.#colours;
        // Opaque mixtures, as in the window: index with [is rising][is complete].
        const faded = (complete, incomplete) => [
            [mixed(background, falling, incomplete), mixed(background, falling, complete)],
            [mixed(background, rising, incomplete), mixed(background, rising, complete)],
        ];
        this.#colours.candles = faded(1, 0.4);
        this.#colours.volumes = faded(0.5, 0.22);
        this.#colours.label = mixed(background, text, 0.16);
        this.#colours.crosshair = mixed(background, text, 0.45);
        this.#colours.hole = mixed(background, this.#colours.warning, 0.1);
        this.update();
    }

    /** The heights of the parts from the top, css pixels. */
    #heights() {
        const bottom = Math.max(this.#canvas.clientHeight - 28, 1);
        const volume = bottom < 220 ? 0 : Math.round(Math.min(Math.max(bottom * 0.2, 70), 220));
        return { prices: bottom - volume, bottom };
    }

    #paint() {
        const [context, colours, ratio] = [this.#context, this.#colours, this.#ratio];
        const [width, height] = [this.#canvas.width, this.#canvas.height];
        context.fillStyle = colours.background;
        context.fillRect(0, 0, width, height);
        if (this.#isEmpty) return;
        const heights = this.#heights();
        const { left, right } = this.view;
        const shown = [];
        const { places: known, firstPlace, lastPlace } = this.series;
        for (let place = Math.max(Math.floor(left), firstPlace); place < Math.min(right, lastPlace + 1); place++) {
            const candle = this.series.candle(known.slot(place));
            if (candle !== undefined) shown.push([place, candle]);
        }
        const scale = this.#priceScale(shown, heights);
        const ticks = this.#priceTicks(scale);
        this.#fitAxis(ticks, shown);
        const plot = Math.round(this.plotWidth * ratio);
        const pane = Math.round(heights.prices * ratio);
        const bottom = Math.round(heights.bottom * ratio);
        const hair = Math.max(1, Math.round(ratio));
        const places = { left: this.view.left, slot: this.#slotPx * ratio, plot, pane, bottom, hair };
        const topVolume = shown.reduce((most, [, one]) => Math.max(most, one.volume), 0) * 1.15 || 1;
        const volumeTicks = pane < bottom ? this.#volumeTicks(topVolume, heights) : [];

        this.#paintHoles(places);
        this.#paintBreaks(places);
        const times = this.#paintTimeGrid(places);
        context.fillStyle = colours.grid;
        for (const [y] of [...ticks, ...volumeTicks]) context.fillRect(0, Math.round(y * ratio), plot, hair);
        context.save();
        context.beginPath();
        context.rect(0, 0, plot, bottom);
        context.clip();
        this.#paintCandles(shown, places, scale, topVolume);
        context.restore();

        context.fillStyle = colours.line;
        context.fillRect(0, bottom, width, hair);
        if (pane < bottom) context.fillRect(0, pane, width, hair);
        context.fillRect(plot, 0, hair, height);
        this.#font(12);
        const edge = this.plotWidth + this.#axisPx - 10;
        const tagged = [
            [scale.y(this.series.newest.close), this.#openForS() > 0 ? 24 : 16],
            [this.cursor?.y ?? -99, 16],
        ];
        for (const [y, text] of [...ticks, ...volumeTicks]) {
            // A label that a tag would cut is left out.
            if (tagged.every(([at, room]) => Math.abs(at - y) > room)) this.#text(text, edge, y, colours.dim, "right");
        }
        this.#paintTimes(times, places, heights);
        this.#paintLast(scale, places);
        this.#paintCursor(scale, places, heights, topVolume);
    }

    #priceScale(shown, heights) {
        let [low, high] = [Infinity, -Infinity];
        for (const [, one] of shown) [low, high] = [Math.min(low, one.low), Math.max(high, one.high)];
        if (!shown.length) low = high = this.series.newest.close;
        if (high === low) [low, high] = [low - (Math.abs(low) * 0.001 || 1), high + (Math.abs(high) * 0.001 || 1)];
        const [top, base] = [Math.min(this.topInset, heights.prices * 0.3), heights.prices - 12];
        const perPx = (high - low) / Math.max(base - top, 1);
        return {
            low: low - 12 * perPx,
            high: high + top * perPx,
            height: heights.prices,
            y: (value) => top + (high - value) / perPx,
            value: (y) => high - (y - top) * perPx,
        };
    }

    #priceTicks(scale) {
        const step = valueStep(scale.low, scale.high, scale.height, this.#canvas.clientHeight < 400 ? 36 : 56);
        return valuesBetween(scale.low, scale.high, step)
            .map((value) => [scale.y(value), price(value, this.decimals)])
            .filter(([y]) => y > 8 && y < scale.height - 8);
    }

    #volumeTicks(topVolume, { prices, bottom }) {
        const step = valueStep(0, topVolume, bottom - prices, 36);
        const y = (value) => bottom - (value / topVolume) * (bottom - prices);
        return valuesBetween(step / 2, topVolume * 0.85, step).map((value) => [y(value), shortQuantity(value)]);
    }

    /** Give the axis the room that its labels need, so that no price is cut. */
    #fitAxis(ticks, shown) {
        this.#font(12);
        const newest = price(this.series.newest.close, this.decimals);
        const texts = [...ticks.map(([, text]) => text), newest];
        const width = Math.ceil(Math.max(...texts.map((text) => this.#textWidth(text)), 40) / 8) * 8 + 20;
        if (width === this.#axisPx || !shown.length) return;
        this.#axisPx = width;
        this.update();
    }

    #paintHoles({ left, slot, plot, bottom }) {
        const context = this.#context;
        const { places } = this.series;
        context.fillStyle = this.#colours.hole;
        for (const [begin, end] of this.series.holes) {
            const from = Math.max((places.of(begin) - left) * slot, 0);
            const to = Math.min((places.of(end) - left) * slot, plot);
            if (to > from) context.fillRect(Math.floor(from), 0, Math.max(Math.ceil(to - from), 1), bottom);
        }
    }

    /** Mark with a line where closed time is left out. */
    #paintBreaks({ left, slot, plot, bottom, hair }) {
        this.#context.fillStyle = this.#colours.line;
        for (const place of this.series.places.between(left, this.view.right)) {
            const x = Math.round((place - left) * slot);
            if (x < plot) this.#context.fillRect(x, 0, hair, bottom);
        }
    }

    #paintTimeGrid({ left, slot, plot, bottom, hair }) {
        const { interval, places } = this.series;
        const [context, ratio] = [this.#context, this.#ratio];
        const { right } = this.view;
        const leastS = (100 * interval.lengthS) / this.#slotPx;
        const [beginS, endS] = [Math.floor(left), Math.ceil(right)].map((place) => interval.openS(places.slot(place)));
        const [times, stepS] = timesBetween(beginS, endS, Math.max(leastS, interval.lengthS));
        context.fillStyle = this.#colours.grid;
        const found = [];
        for (const timeS of times) {
            const of = interval.slot(timeS);
            const place = places.of(of);
            if (places.slot(place) !== of) continue; // the market was closed
            const x = Math.round((place - left + 0.5) * slot);
            if (x < 0 || x >= plot) continue;
            context.fillRect(x, 0, hair, bottom);
            found.push([x / ratio, ...mark(timeS, stepS)]);
        }
        return found;
    }

    #paintCandles(shown, { left, slot, pane, bottom, hair }, scale, topVolume) {
        const [context, colours, ratio] = [this.#context, this.#colours, this.#ratio];
        const isNarrow = slot < 2;
        const wick = Math.min(hair, Math.max(1, Math.floor(slot / 4)));
        const beside = Math.max(0, Math.floor((slot * BODY_SHARE - wick) / 2));
        for (const [at, one] of shown) {
            const start = (at - left) * slot;
            const [isRising, isComplete] = [Number(one.close >= one.open), Number(one.isComplete)];
            let x = Math.floor(start + (slot - wick) / 2 + 0.5);
            let [bodyX, bodyWidth, wickWidth] = [x - beside, 2 * beside + wick, wick];
            if (isNarrow) {
                bodyX = x = Math.floor(start);
                bodyWidth = wickWidth = Math.max(Math.floor(start + slot) - x, 1);
            }
            const row = (value) => Math.round(scale.y(value) * ratio);
            context.fillStyle = colours.candles[isRising][isComplete];
            const [high, low] = [row(one.high), row(one.low)];
            context.fillRect(x, high, wickWidth, Math.max(low - high, hair));
            if (!isNarrow) {
                const [top, base] = [row(Math.max(one.open, one.close)), row(Math.min(one.open, one.close))];
                context.fillRect(bodyX, top, bodyWidth, Math.max(base - top, hair));
            }
            if (pane < bottom && one.volume > 0) {
                const tall = Math.max(Math.round(((bottom - pane) * one.volume) / topVolume), 1);
                context.fillStyle = colours.volumes[isRising][isComplete];
                context.fillRect(bodyX, bottom - tall, bodyWidth, tall);
            }
        }
    }

    #paintTimes(times, { plot }, heights) {
        const [colours, ratio] = [this.#colours, this.#ratio];
        let end = -Infinity;
        const { cursor } = this;
        const pointed = cursor === null ? -Infinity : (this.series.places.of(cursor.slot) - this.view.left + 0.5) * this.#slotPx;
        for (const [x, text, isBold] of times) {
            this.#font(12, isBold ? 600 : 400);
            const half = this.#textWidth(text) / 2;
            if (x - half < Math.max(end + 14, 4) || x + half > plot / ratio - 4) continue;
            if (Math.abs(x - pointed) < half + 70) continue; // below the crosshair's label
            this.#text(text, x, heights.bottom + 15, isBold ? colours.text : colours.dim, "center");
            end = x + half;
        }
    }

    /** Return for how long the newest candle is still open. */
    #openForS() {
        return this.series.interval.openS(this.series.last + 1) - this.nowS();
    }

    #paintLast(scale, { plot, hair }) {
        const { newest } = this.series;
        const [context, colours, ratio] = [this.#context, this.#colours, this.#ratio];
        const y = scale.y(newest.close);
        if (y < 0 || y > scale.height) return;
        const colour = newest.close >= newest.open ? colours.rising : colours.falling;
        context.fillStyle = colour;
        for (let x = 0; x < plot; x += 4 * hair) context.fillRect(x, Math.round(y * ratio), 2 * hair, hair);
        const openS = this.#openForS();
        const rows = [price(newest.close, this.decimals), ...(openS > 0 ? [countdown(openS)] : [])];
        this.#tag(rows, plot / ratio, y, colour, textOn(colour), scale.height);
    }

    #paintCursor(scale, { left, slot, plot, pane, bottom, hair }, heights, topVolume) {
        const [context, colours, ratio] = [this.#context, this.#colours, this.#ratio];
        this.#paintVolumeTitle(heights);
        if (this.cursor === null) return;
        const candle = this.series.candle(this.cursor.slot);
        const y = this.cursor.y ?? (candle ? scale.y(candle.close) : null);
        const x = Math.round((this.series.places.of(this.cursor.slot) - left + 0.5) * slot);
        context.fillStyle = colours.crosshair;
        for (let at = 0; at < bottom; at += 6 * hair) context.fillRect(x, at, hair, 3 * hair);
        if (y !== null) {
            for (let at = 0; at < plot; at += 6 * hair) context.fillRect(at, Math.round(y * ratio), 3 * hair, hair);
            const isPrice = y < heights.prices;
            const volume = ((heights.bottom - y) / (heights.bottom - heights.prices)) * topVolume;
            const text = isPrice ? price(scale.value(y), this.decimals) : shortQuantity(Number(volume.toPrecision(3)));
            this.#tag([text], plot / ratio, y, colours.label, colours.text, heights.bottom, 400);
        }
        this.#font(12);
        const text = openTime(this.series.interval.openS(this.cursor.slot), this.series.interval);
        const width = this.#textWidth(text) + 16;
        const middle = Math.min(Math.max(x / ratio, width / 2), plot / ratio - width / 2);
        context.fillStyle = colours.label;
        const [from, to] = [Math.round((middle - width / 2) * ratio), Math.round((middle + width / 2) * ratio)];
        context.fillRect(from, bottom + hair, to - from, this.#canvas.height - bottom - hair);
        this.#text(text, middle, heights.bottom + 15, colours.text, "center");
    }

    #paintVolumeTitle(heights) {
        if (heights.prices >= heights.bottom) return;
        const candle = this.series.candle(this.cursor?.slot ?? this.series.last);
        this.#font(12);
        this.#text(this.volumeTitle, 12, heights.prices + 14, this.#colours.dim, "left");
        if (candle === undefined) return;
        const after = 12 + this.#textWidth(this.volumeTitle) + 6;
        const text = quantity(candle.volume, this.quantityDecimals);
        this.#text(text, after, heights.prices + 14, this.#colours.text, "left");
    }

    /** A label on the price axis, of one row or two, kept within ``mostY``. */
    #tag(rows, x, y, ground, colour, mostY, weight = 600) {
        const [context, ratio] = [this.#context, this.#ratio];
        const tall = rows.length * 15 + 6;
        const top = Math.round(Math.min(Math.max(y - tall / 2, 0), mostY - tall) * ratio) / ratio;
        context.fillStyle = ground;
        const from = Math.round(x * ratio);
        context.fillRect(from, Math.round(top * ratio), this.#canvas.width - from, Math.round(tall * ratio));
        for (const [number, text] of rows.entries()) {
            this.#font(12, number ? 400 : weight);
            this.#text(text, x + this.#axisPx - 10, top + 11 + number * 15, colour, "right");
        }
    }

    #font(size, weight = 400) {
        this.#context.font = `${weight} ${size * this.#ratio}px ${FONT}`;
    }

    #textWidth(text) {
        // Digits are nearly always equally wide.
        const key = `${this.#context.font} ${text.replace(/\d/g, "0")}`;
        let width = this.#widths.get(key);
        if (width === undefined) {
            width = this.#context.measureText(text.replace(/\d/g, "0")).width / this.#ratio;
            this.#widths.set(key, width);
        }
        return width;
    }

    #text(text, x, y, colour, align) {
        const context = this.#context;
        context.fillStyle = colour;
        context.textAlign = align;
        context.textBaseline = "middle";
        context.fillText(text, Math.round(x * this.#ratio), Math.round(y * this.#ratio) + 1);
    }
}

function parts(colour) {
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/** Return a share of one colour laid over another, both ``#rrggbb``. */
function mixed(ground, colour, share) {
    const [below, above] = [parts(ground), parts(colour)];
    return `rgb(${below.map((one, at) => Math.round(one + (above[at] - one) * share)).join(" ")})`;
}

/** Return the colour of text on a ground: white where that has a contrast of 4.5, else nearly black. */
function textOn(ground) {
    const [red, green, blue] = parts(ground).map((one) => {
        const share = one / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    return 1.05 / (luminance + 0.05) >= 4.5 ? "#ffffff" : "#0e1217";
}
