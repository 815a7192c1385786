// The candles of one chart: what the server has answered, and on top of it what live trades have changed since.
//
// Both are joined without counting a trade twice: of a candle's two highs the higher holds, of two lows the lower, and of
// two volumes that of more trades. So it never matters in which order answers, candles and trades arrive.

import { Places } from "./places.js";

const SETTLES_S = 5; // a candle that ended less than that ago may still get trades
const QUOTES_SETTLE_S = 20; // and one of quotes may not be complete yet
const MOST_TRIES = 10; // to get a candle whole
const TAIL = 500; // slots that are kept current
const CLOSED_S = 1_800; // that long without a quote, though nothing is missing, a market is closed

export class Series {
    #stored = new Map();
    #live = new Map();
    #tries = new Map();
    #places = null; // until asked for
    #anchor = 0;

    constructor(interval, hasTrades = true) {
        this.interval = interval;
        this.hasTrades = hasTrades; // else it is of quotes: the candles are of the mid, and their volumes count ticks
        this.settlesS = hasTrades ? SETTLES_S : QUOTES_SETTLE_S;
        this.first = 0; // the slots that have candles lie from here
        this.last = -1; // to here; empty if that is less
        this.holes = []; // [begin, end) in slots: nothing is stored there
        this.hasAll = false; // nothing older is stored
        this.newestId = -1; // of the trades seen
        this.newestPosition = ""; // of the quotes seen
    }

    get isEmpty() {
        return this.last < this.first;
    }

    /** Where the slots stand on a chart: a market of quotes that is closed takes no room. */
    get places() {
        this.#places ??= new Places(this.hasTrades ? [] : this.#closed(), this.#anchor);
        return this.#places;
    }

    get firstPlace() {
        return this.places.of(this.first);
    }

    get lastPlace() {
        return this.places.of(this.last);
    }

    /** Return the stretches of slots in which the market was closed: nothing is missing, and there is no candle. */
    #closed() {
        const least = CLOSED_S / this.interval.lengthS;
        const found = [];
        let [begin, hole] = [null, 0];
        for (let slot = this.first; slot <= this.last; slot++) {
            while (this.holes[hole]?.[1] <= slot) hole++;
            const isEmpty = !this.#stored.has(slot) && !this.#live.has(slot);
            if (isEmpty && !(this.holes[hole]?.[0] <= slot)) {
                begin ??= slot;
                continue;
            }
            if (begin !== null && slot - begin >= least) found.push([begin, slot]);
            begin = null;
        }
        return found;
    }

    /** Return the candle of a slot, undefined if there is none. */
    candle(slot) {
        const [stored, live] = [this.#stored.get(slot), this.#live.get(slot)];
        if (live === undefined) return stored;
        if (stored === undefined) return { ...live, isFinal: false };
        return {
            ...stored,
            high: Math.max(stored.high, live.high),
            low: Math.min(stored.low, live.low),
            close: live.close,
            trades: Math.max(stored.trades, live.trades),
            volume: live.trades > stored.trades ? live.volume : stored.volume,
            isComplete: stored.isComplete && live.isComplete,
        };
    }

    /** Return all candles, oldest first. */
    *candles() {
        for (let slot = this.first; slot <= this.last; slot++) {
            const candle = this.candle(slot);
            if (candle !== undefined) yield candle;
        }
    }

    get newest() {
        return this.isEmpty ? undefined : this.candle(this.last);
    }

    /** Add an answer of /candles; ``nowS`` is the server's time. */
    addAnswer(answer, nowS) {
        const { interval } = this;
        const missing = answer.missing.map(([begin, end]) => [interval.slot(begin), interval.slot(end)]);
        // An answer has only the first where they are many.
        const knownTo = answer.missing_count > missing.length ? missing.at(-1)[1] : Infinity;
        let range = 0;
        for (const one of answer.candles) {
            const slot = interval.slot(one.time);
            while (range < missing.length && missing[range][1] <= slot) range++;
            const isMissing = slot >= knownTo || (range < missing.length && missing[range][0] <= slot);
            const isOver = interval.openS(slot + 1) + this.settlesS <= nowS;
            if (!isOver && this.#stored.get(slot)?.trades > one.volume) continue; // the stream has been quicker
            this.#store(slot, {
                time: one.time,
                open: one.open,
                high: one.high,
                low: one.low,
                close: one.close,
                trades: one.volume,
                volume: one.base_volume,
                isComplete: !isMissing,
                isFinal: isOver && !isMissing,
            });
        }
        const newest = answer.candles.at(-1);
        if (newest && !answer.complete && !missing.length && interval.slot(newest.time) === this.last) {
            this.#stored.get(this.last).isComplete = false; // the open one lacks some of its trades
        }
        const empty = (slot) => !this.#stored.has(slot) && !this.#live.has(slot);
        const inside = missing.map(([begin, end]) => [begin, Math.min(end, this.last + 1)]); // what is newer may still come
        const holes = inside.filter(([begin, end]) => begin < end && (empty(begin) || empty(end - 1)));
        this.holes = joined([...this.holes, ...holes]);
        this.#places = null;
        return answer.candles.length;
    }

    /** Take a candle of the live stream, which knows less of its completeness than an answer. */
    addCandle(data) {
        const slot = this.interval.slot(data.time);
        if (!this.isEmpty && slot < this.first) return;
        const before = this.#stored.get(slot);
        // One that was made before the answer says nothing new.
        if (before !== undefined && (before.trades > data.volume || (before.isFinal && !data.complete))) return;
        this.#store(slot, {
            time: data.time,
            open: data.open,
            high: data.high,
            low: data.low,
            close: data.close,
            trades: data.volume,
            volume: data.base_volume,
            isComplete: data.complete || (before?.isComplete ?? true),
            isFinal: data.closed && data.complete,
        });
    }

    /** Take a live trade. Those that were repaired come late, with lower ids. */
    addTrade(data) {
        const slot = this.interval.slot(Math.floor(data.timestamp / 1_000));
        const isLate = data.id <= this.newestId;
        const isNext = this.newestId < 0 || isLate || data.id === this.newestId + 1;
        if (!isLate) this.newestId = data.id;
        if (!this.isEmpty && (slot < this.first || (isLate && slot < this.last - TAIL))) return;
        if (isLate) {
            // It may have been counted; the next answer shows.
            const stored = this.#stored.get(slot);
            if (stored !== undefined) stored.isFinal = false;
            this.#tries.delete(slot);
            return;
        }
        this.#fold(slot, data.price, data.quantity, isNext);
    }

    /** Take a live quote; they come in order, each once. */
    addQuote(data) {
        const slot = this.interval.slot(Math.floor(data.timestamp / 1_000));
        this.newestPosition = data.position;
        if (this.isEmpty || slot >= this.first) this.#fold(slot, Number(((data.bid + data.ask) / 2).toFixed(8)), 1, true);
    }

    /** Return where to resume live messages, null if none came. */
    get since() {
        if (!this.hasTrades) return this.newestPosition || null;
        return this.newestId < 0 ? null : this.newestId + 1;
    }

    #fold(slot, price, quantity, isNext) {
        const stored = this.#stored.get(slot);
        if (stored?.isFinal) return;
        const live = this.#live.get(slot);
        if (live === undefined) {
            const time = this.interval.openS(slot);
            const candle = { time, open: price, high: price, low: price, close: price, trades: 1, volume: quantity };
            this.#live.set(slot, { ...candle, isComplete: isNext });
            this.#cover(slot);
            return;
        }
        live.high = Math.max(live.high, price);
        live.low = Math.min(live.low, price);
        live.close = price;
        live.trades += 1;
        live.volume += quantity;
        live.isComplete &&= isNext;
    }

    /** Forget what live trades made: some in between were not heard. */
    forgetLive() {
        this.#live.clear();
        this.newestId = -1;
        this.newestPosition = "";
        while (!this.isEmpty && !this.#stored.has(this.last)) this.last -= 1;
        this.#places = null;
    }

    /** Return the first slot that an answer should bring again, null if all that is over is whole. */
    unsettled(nowS) {
        for (let slot = Math.max(this.first, this.last - TAIL); slot <= this.last; slot++) {
            if (this.interval.openS(slot + 1) + this.settlesS > nowS) break;
            const isKnown = this.#stored.has(slot) || this.#live.has(slot);
            if (isKnown && !this.#stored.get(slot)?.isFinal && (this.#tries.get(slot) ?? 0) < MOST_TRIES) return slot;
        }
        return null;
    }

    /** Note that the slots from ``first`` on were asked for once more. */
    noteTry(first) {
        for (let slot = first; slot < this.last; slot++) {
            if (!this.#stored.get(slot)?.isFinal) this.#tries.set(slot, (this.#tries.get(slot) ?? 0) + 1);
        }
    }

    #store(slot, candle) {
        this.#stored.set(slot, candle);
        if (candle.isFinal) {
            this.#live.delete(slot);
            this.#tries.delete(slot);
        }
        this.#cover(slot);
    }

    #cover(slot) {
        if (this.isEmpty) [this.first, this.last, this.#anchor] = [slot, slot, slot];
        this.first = Math.min(this.first, slot);
        this.last = Math.max(this.last, slot);
        this.#places = null;
    }
}

/** Return ranges as few, rising, without overlaps. */
function joined(ranges) {
    const found = [];
    for (const [begin, end] of ranges.toSorted((one, other) => one[0] - other[0])) {
        const before = found.at(-1);
        if (before && begin <= before[1]) before[1] = Math.max(before[1], end);
        else found.push([begin, end]);
    }
    return found;
}
