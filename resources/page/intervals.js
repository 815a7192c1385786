// Intervals and the numbers of their candles, slots, as app/market/interval.py has them. Times are Unix seconds.

const ORIGIN_S = 946_857_600; // 2000-01-03, a Monday
const DAY_S = 86_400;
const UNIT_S = { s: 1, m: 60, h: 3_600, d: DAY_S, w: 7 * DAY_S };

export class Interval {
    /** Return the interval that a text such as 13m names, or null. What it may be at most is the server's to say. */
    static parse(text) {
        const match = /^\s*(\d{1,6})\s*([smhdwMHDWS])\s*$/.exec(text);
        if (match === null || Number(match[1]) === 0) return null;
        const count = Number(match[1]);
        if (match[2] === "M") return new Interval(0, count);
        return new Interval(count * UNIT_S[match[2].toLowerCase()], 0);
    }

    constructor(seconds, months) {
        this.seconds = seconds;
        this.months = months;
        // The exchange aligns candles of three days to another day.
        this.originS = seconds === 3 * DAY_S ? ORIGIN_S + DAY_S : ORIGIN_S;
    }

    /** The shortest usual name: 1h rather than 60m. */
    get name() {
        if (this.months) return `${this.months}M`;
        const unit = ["w", "d", "h", "m"].find((one) => this.seconds % UNIT_S[one] === 0) ?? "s";
        return `${this.seconds / UNIT_S[unit]}${unit}`;
    }

    /** The length; a month counts as 30 days. */
    get lengthS() {
        return this.seconds || this.months * 30 * DAY_S;
    }

    /** Return the slot of the candle that holds a time. */
    slot(timeS) {
        if (!this.months) return Math.floor((timeS - this.originS) / this.seconds);
        const moment = new Date(timeS * 1_000);
        return Math.floor(((moment.getUTCFullYear() - 2_000) * 12 + moment.getUTCMonth()) / this.months);
    }

    /** Return when the candle of a slot opens. */
    openS(slot) {
        if (!this.months) return this.originS + slot * this.seconds;
        return Date.UTC(2_000, slot * this.months) / 1_000;
    }
}
