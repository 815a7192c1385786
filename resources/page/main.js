// The page: connects the chart with the server's answers and its live messages, and says in words how things are.

import { Chart } from "./chart.js";
import { Connection } from "./connection.js";
import { change, changePercent, decimalsOf, openTime, price, quantity } from "./formats.js";
import { connectGestures } from "./gestures.js";
import { Interval } from "./intervals.js";
import { Series } from "./series.js";
import { Refusal, Server } from "./server.js";

const PRESETS = ["1m", "5m", "15m", "1h", "4h", "1d"];
const PAGE = 1_000; // candles in one answer
const RESUME_MS = 600_000; // after a longer loss the trades in between are left out: candles have them
const CHECK_S = 4; // between looks for candles that are not whole yet
const LONGEST_RETRY_S = 15;

const byId = (id) => document.getElementById(id);
const server = new Server();
const chart = new Chart(byId("chart"));
const connection = new Connection(() => server.protocols, resumeFrom);
chart.nowS = () => server.nowS;

const descriptions = new Map(); // of symbols, by name
const kinds = new Map(); // "trades" or "quotes", by name of a symbol
let chosen = { symbol: "", interval: Interval.parse("5m") };
let series = new Series(chosen.interval);
let isLoaded = false;
let loading = new AbortController();
let isLoadingOlder = false;
let olderTrouble = "";
let liveTrouble = "";
let tailDue = false;
let lostAtMs = 0;
const retry = { timer: 0, count: 0, work: null };
let hasTriedToken = false;
let spokenSlot = null;
let wordsDue = 0;
const pricesBySecond = new Array(10).fill(0);

// Which symbols there are

async function loadSymbols() {
    say("loading", "Connecting…", "");
    try {
        const [stored, named] = await Promise.all([
            server.json("/api/metadata", {}, { isFresh: true }),
            server.json("/search", { limit: 100 }, { isFresh: true }),
        ]);
        retry.count = 0;
        for (const one of stored) kinds.set(one.symbol, one.kind);
        showSymbols(stored.map((one) => one.symbol), new Map(named.map((one) => [one.ticker, one.description])));
    } catch (error) {
        refuse(error, loadSymbols);
    }
}

function showSymbols(symbols, names) {
    const list = byId("symbol");
    if (!symbols.length) {
        const how = "Start the window or “cryptopipe collect”, or import files: the chart begins with the first price.";
        say("empty", "Nothing is stored yet", how);
        later(loadSymbols, 3);
        return;
    }
    list.replaceChildren(...symbols.map((symbol) => new Option(names.get(symbol) ?? symbol, symbol)));
    list.disabled = byId("intervals").hidden = false;
    choose(addressed(symbols));
}

/** Return what the page's address names, as far as it is known; else what is shown, or the first symbol. */
function addressed(symbols) {
    const [symbol, name] = location.hash.slice(1).split("/");
    const named = symbols.find((one) => one.toUpperCase() === symbol?.toUpperCase());
    const wanted = [named, chosen.symbol].find((one) => symbols.includes(one));
    return { symbol: wanted ?? symbols[0], interval: Interval.parse(name ?? "") ?? chosen.interval };
}

// A chart

function choose(wanted) {
    chosen = wanted;
    byId("symbol").value = chosen.symbol;
    const { name } = chosen.interval;
    for (const button of byId("presets").children) button.setAttribute("aria-pressed", button.value === name);
    const typed = byId("typed");
    typed.value = PRESETS.includes(name) ? "" : name;
    typed.classList.toggle("chosen", !PRESETS.includes(name));
    refuseInterval("");
    history.replaceState(null, "", `#${chosen.symbol}/${name}`);
    load();
}

async function load() {
    loading.abort();
    clearTimeout(retry.timer);
    loading = new AbortController();
    const [{ signal }, { symbol, interval }] = [loading, chosen];
    series = new Series(interval, hasTrades());
    [isLoaded, isLoadingOlder, tailDue, olderTrouble, liveTrouble] = [false, false, false, "", ""];
    say("loading", "Loading candles…", "");
    connection.follow(symbol, [hasTrades() ? "trade" : "quote", `candle:${interval.name}`]);
    chart.volumeTitle = hasTrades() ? "Volume" : "Ticks";
    try {
        const [description, answer] = await Promise.all([
            describe(symbol),
            server.json("/candles", { asset: symbol, duration: interval.name, limit: PAGE }, { isFresh: true, signal }),
        ]);
        if (signal.aborted) return;
        retry.count = 0;
        series.hasAll = series.addAnswer(answer, server.nowS) < PAGE;
        chart.decimals = decimalsFor(description, answer.candles);
        chart.quantityDecimals = description.volume_precision;
        if (series.isEmpty) {
            say("empty", `No candles of ${displayName()} are stored`, `They appear with the first ${hasTrades() ? "trade" : "quote"}.`);
            later(load, 3);
            return;
        }
        isLoaded = true;
        say("", "", "");
        byId("chart").setAttribute("aria-label", `Candles of ${displayName()}, ${interval.name}`);
        chart.show(series);
        if (connection.state === "live") refreshTail();
    } catch (error) {
        if (!signal.aborted) refuse(error, load);
    }
}

function hasTrades() {
    return kinds.get(chosen.symbol) !== "quotes";
}

async function describe(symbol) {
    if (!descriptions.has(symbol)) descriptions.set(symbol, await server.json("/symbols", { symbol }));
    return descriptions.get(symbol);
}

function displayName() {
    return descriptions.get(chosen.symbol)?.description ?? chosen.symbol;
}

function decimalsFor(description, candles) {
    const described = Math.round(Math.log10(description.pricescale));
    if (description.description !== description.name) return described;
    const prices = candles.slice(-50).flatMap((one) => [one.open, one.high, one.low, one.close]);
    return Math.max(described, decimalsOf(prices));
}

/** Ask again for what was not whole, and for all that came since. */
async function refreshTail() {
    if (!isLoaded) return;
    tailDue = false;
    const [{ signal }, { symbol, interval }] = [loading, chosen];
    const unsettled = series.unsettled(server.nowS);
    // With the candle before: the server judges an open one by that.
    const first = Math.min(unsettled ?? series.last, series.last) - 1;
    if (unsettled !== null) series.noteTry(unsettled);
    const startTime = new Date(interval.openS(first) * 1_000).toISOString();
    try {
        const asked = { asset: symbol, duration: interval.name, startTime, limit: PAGE };
        const answer = await server.json("/candles", asked, { isFresh: true, signal });
        if (signal.aborted) return;
        const lastBefore = series.lastPlace;
        if (series.addAnswer(answer, server.nowS) >= PAGE) load(); // too much came meanwhile
        else chart.follow(lastBefore);
    } catch (error) {
        if (signal.aborted) return;
        tailDue = true;
        if (error.status === 401) askAgain(error);
    }
}

async function loadOlder() {
    const { left, right } = chart.view;
    if (!isLoaded || isLoadingOlder || series.hasAll || left > series.firstPlace + (right - left) / 2) return;
    isLoadingOlder = true;
    const [{ signal }, { symbol, interval }] = [loading, chosen];
    const endTime = new Date((interval.openS(series.first) - 1) * 1_000).toISOString();
    let waitMs = 0;
    try {
        const answer = await server.json("/candles", { asset: symbol, duration: interval.name, endTime, limit: PAGE }, { signal });
        series.hasAll = series.addAnswer(answer, server.nowS) < PAGE;
        olderTrouble = "";
    } catch (error) {
        if (signal.aborted) return;
        if (error.status === 401) askAgain(error);
        olderTrouble = error.message;
        waitMs = Math.max(error.retryS ?? 0, 3) * 1_000;
    }
    setTimeout(() => {
        if (signal.aborted) return;
        isLoadingOlder = false;
        chart.follow(series.lastPlace);
    }, waitMs);
}

/** The server has another token than before. */
function askAgain(error) {
    isLoaded = false;
    loading.abort();
    refuse(error, load);
}

// What comes live

function resumeFrom() {
    if (series.since === null) return null;
    if (Date.now() - lostAtMs < RESUME_MS) return series.since;
    series.forgetLive();
    return null;
}

function take(message) {
    if (message.type === "error") {
        liveTrouble = message.message;
        refreshWords();
        return;
    }
    if (message.symbol !== chosen.symbol) return;
    const lastBefore = series.lastPlace;
    if (message.type === "trade") {
        pricesBySecond[0] += 1;
        series.addTrade(message.data);
    } else if (message.type === "quote") {
        pricesBySecond[0] += 1;
        series.addQuote(message.data);
    } else if (message.type === `candle:${chosen.interval.name}`) {
        series.addCandle(message.data);
    } else {
        return;
    }
    liveTrouble = "";
    if (isLoaded) chart.follow(lastBefore);
}

// Words

/** Show a state over the chart: ``loading``, ``empty``, ``error`` or ``token``; an empty one shows the chart. */
function say(kind, headline, sentence) {
    const state = byId("state");
    state.hidden = kind === "";
    state.className = kind;
    byId("headline").textContent = headline;
    byId("sentence").textContent = sentence;
    byId("sentence").hidden = sentence === "";
    byId("asked").hidden = kind !== "token";
    byId("again").hidden = kind !== "error";
    byId("chart").tabIndex = kind ? -1 : 0;
    if (kind === "token") byId("token").focus();
    refreshWords();
}

/** Say why something failed, and do it again: soon where that may help, or once there is a token. */
function refuse(error, work) {
    if (!(error instanceof Refusal)) throw error;
    retry.work = work;
    if (error.status === 401) {
        connection.stop();
        const again = hasTriedToken ? "The server did not accept that one." : "It is the server’s setting serve_token.";
        say("token", "This server asks for a token", again);
        return;
    }
    say("error", "The candles could not be loaded", error.message);
    if (!error.isPassing) return;
    retry.count += 1;
    later(work, Math.max(error.retryS, Math.min(2 ** retry.count, LONGEST_RETRY_S)));
}

function later(work, seconds) {
    clearTimeout(retry.timer);
    retry.timer = setTimeout(work, seconds * 1_000);
}

/** Bring all words up to date, once for each frame. */
function refreshWords() {
    if (wordsDue) return;
    wordsDue = requestAnimationFrame(() => {
        wordsDue = 0;
        showReadout();
        showPrice();
        showConnection();
        showNotice();
    });
}

function showReadout() {
    const readout = byId("readout");
    readout.hidden = !isLoaded;
    byId("latest").hidden = !isLoaded || chart.isAtLatest;
    if (!isLoaded) return;
    const candle = chart.cursor ? series.candle(chart.cursor.slot) : series.newest;
    const title = element("b", `${displayName()} · ${chosen.interval.name}`);
    if (candle === undefined) {
        readout.replaceChildren(element("span", "", title, "title"), element("span", "No candle is stored here", null, "warning"));
        return;
    }
    const direction = candle.close >= candle.open ? "rising" : "falling";
    const at = (value) => price(value, chart.decimals);
    const parts = [element("span", "", title, "title")];
    for (const [label, text, kind, before] of [
        ["O", at(candle.open)],
        ["H", at(candle.high)],
        ["L", at(candle.low)],
        ["C", at(candle.close), direction],
        ["", changePercent(candle.open, candle.close), direction, change(candle.open, candle.close, chart.decimals)],
        ["V", quantity(candle.volume, chart.quantityDecimals)],
    ]) {
        const first = label ? element("i", label) : before ? element("span", `${before} `, null, "roomy") : null;
        parts.push(element("span", text, first, kind));
    }
    if (!candle.isComplete) parts.push(element("span", "incomplete", null, "warning"));
    readout.replaceChildren(...parts);
    // Once for each candle, however often the open one changes.
    if (chart.cursor && chart.cursor.slot !== spokenSlot && byId("chart").matches(":focus-visible")) {
        spokenSlot = chart.cursor.slot;
        const when = openTime(candle.time, chosen.interval);
        announce(`${when}: ${parts.slice(1).map((one) => one.textContent).join(", ")}`);
    }
}

function element(name, text, first = null, kind = "") {
    const made = document.createElement(name);
    if (first !== null) made.append(first);
    if (text) made.append(first?.localName === "i" ? element("span", text, null, kind) : text);
    if (kind && first?.localName !== "i") made.className = kind;
    return made;
}

function showPrice() {
    const [output, newest] = [byId("price"), isLoaded ? series.newest : undefined];
    output.textContent = newest ? price(newest.close, chart.decimals) : "";
    output.className = newest ? (newest.close >= newest.open ? "rising" : "falling") : "";
    document.title = newest ? `${output.textContent} ${displayName()}` : "cryptopipe";
}

function showConnection() {
    const { state, retryAtMs } = connection;
    const perSecond = pricesBySecond.slice(1).reduce((sum, one) => sum + one, 0) / (pricesBySecond.length - 1);
    const waitS = Math.max(Math.ceil((retryAtMs - Date.now()) / 1_000), 0);
    const rate = perSecond ? ` · ${perSecond.toFixed(1)} ${hasTrades() ? "trades" : "ticks"}/s` : "";
    const texts = {
        off: "Not connected",
        connecting: lostAtMs ? "Connecting again…" : "Connecting…",
        live: `Live${rate}`,
        lost: `Connection lost · again in ${waitS} s`,
    };
    byId("connection").dataset.state = state;
    byId("connection").lastChild.textContent = texts[state];
    byId("reconnect").hidden = state !== "lost";
}

function showNotice() {
    byId("notice").textContent = isLoaded ? olderTrouble || liveTrouble || inViewNotice() : liveTrouble;
}

function inViewNotice() {
    const { left, right } = chart.view;
    const begin = Math.max(series.places.slot(Math.floor(left)), series.first);
    const end = Math.min(series.places.slot(Math.ceil(right)), series.last + 1);
    let lacking = 0;
    for (let slot = begin; slot < end; slot++) lacking += series.candle(slot)?.isComplete === false ? 1 : 0;
    const hasHole = series.holes.some(([from, to]) => from < end && to > begin);
    if (isLoadingOlder && left < series.firstPlace) return "Loading older candles…";
    if (lacking) return `${lacking === 1 ? "1 candle" : `${lacking.toLocaleString("en-US")} candles`} in view may lack ${hasTrades() ? "trades" : "ticks"}`;
    return hasHole ? "Some candles in view are not stored" : "";
}

function announce(text) {
    if (byId("spoken").textContent !== text) byId("spoken").textContent = text;
}

// The interval that is typed

function refuseInterval(sentence) {
    byId("refused").textContent = sentence;
    byId("refused").hidden = sentence === "";
    byId("typed").setAttribute("aria-invalid", sentence !== "");
}

/** Take a typed interval if the server knows it; else show the server's sentence. */
async function takeInterval(text) {
    const interval = Interval.parse(text);
    try {
        await server.json("/candles", { asset: chosen.symbol, duration: text.trim(), limit: 1 });
    } catch (error) {
        if (error.status === 400) {
            refuseInterval(error.message);
            return;
        }
    }
    if (interval !== null) choose({ ...chosen, interval });
}

// Connections

for (const name of PRESETS) {
    const button = element("button", name);
    [button.type, button.value] = ["button", name];
    button.addEventListener("click", () => choose({ ...chosen, interval: Interval.parse(name) }));
    byId("presets").append(button);
}
connectGestures(byId("chart"), chart);
chart.addEventListener("view", () => {
    loadOlder();
    refreshWords();
});
chart.addEventListener("cursor", refreshWords);
new ResizeObserver(([entry]) => {
    const inset = entry.contentRect.height + 18;
    if (!isLoaded || chart.topInset === inset) return;
    chart.topInset = inset;
    chart.update();
}).observe(byId("readout"));

connection.addEventListener("message", (event) => take(event.detail));
connection.addEventListener("follows", () => {
    liveTrouble = "";
    refreshTail();
});
connection.addEventListener("state", () => {
    if (connection.state === "lost" && !lostAtMs) lostAtMs = Date.now();
    if (connection.state === "live") lostAtMs = 0;
    if (connection.state === "live" || connection.state === "lost") {
        announce(connection.state === "live" ? "Live" : "Connection lost");
    }
    refreshWords();
});

byId("symbol").addEventListener("change", (event) => choose({ ...chosen, symbol: event.target.value }));
byId("intervals").addEventListener("submit", (event) => {
    event.preventDefault();
    takeInterval(byId("typed").value);
});
byId("typed").addEventListener("input", () => refuseInterval(""));
byId("asked").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = byId("token");
    if (server.use(field.value.trim())) {
        hasTriedToken = true;
        retry.work();
    } else {
        say("token", "This server asks for a token", "A token has no spaces and only ASCII characters.");
    }
    field.value = "";
});
byId("again").addEventListener("click", () => retry.work());
byId("reconnect").addEventListener("click", () => connection.retry());
byId("latest").addEventListener("click", () => {
    chart.goToLatest();
    byId("chart").focus();
});
byId("in").addEventListener("click", () => chart.zoom(1.25));
byId("out").addEventListener("click", () => chart.zoom(0.8));
byId("theme").addEventListener("click", () => dispatchEvent(new Event("themeswitch")));
addEventListener("themechange", showTheme);
addEventListener("online", () => connection.retry());
addEventListener("hashchange", () => {
    if (isLoaded) choose(addressed([...byId("symbol").options].map((one) => one.value)));
});
document.addEventListener("visibilitychange", () => {
    if (!document.hidden && connection.state === "lost") connection.retry();
});

function showTheme() {
    const isDark = document.documentElement.dataset.theme === "dark";
    const panel = getComputedStyle(document.documentElement).getPropertyValue("--panel");
    document.querySelector("meta[name=theme-color]").content = panel.trim();
    byId("theme").title = isDark ? "Light theme" : "Dark theme";
    byId("theme").setAttribute("aria-label", byId("theme").title);
}
showTheme();

let seconds = 0;
setInterval(() => {
    seconds += 1;
    pricesBySecond.unshift(0);
    pricesBySecond.pop();
    byId("clock").textContent = `${openTime(Math.floor(server.nowS), Interval.parse("1s"))} UTC`;
    if (isLoaded && seconds % CHECK_S === 0 && (tailDue || series.unsettled(server.nowS) !== null)) refreshTail();
    chart.update();
    refreshWords();
}, 1_000);

/** For tests and for the curious: what is shown, to be read only. */
Object.defineProperty(window, "cryptopipe", {
    value: Object.freeze({
        candles: () => (isLoaded ? [...series.candles()].map((one) => ({ ...one })) : []),
        state: () => ({
            symbol: chosen.symbol,
            interval: chosen.interval.name,
            connection: connection.state,
            newestId: series.newestId,
            newestPosition: series.newestPosition,
            hasAll: series.hasAll,
            holes: series.holes.map((one) => [...one]),
            ...chart.view,
        }),
        slots: (name, times) => times.map((timeS) => Interval.parse(name).slot(timeS)),
    }),
});

loadSymbols();
