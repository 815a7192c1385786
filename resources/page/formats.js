// Numbers and times as text, as the window writes them. Times are Unix seconds, in UTC.

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const formats = new Map();

function fixed(value, decimals) {
    let format = formats.get(decimals);
    if (format === undefined) {
        format = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
        formats.set(decimals, format);
    }
    return format.format(value).replace("-", "−");
}

export const price = fixed;

/** Return a quantity with three decimals at most; from a million up in millions or billions. */
export function quantity(value, decimals) {
    if (value >= 1e9) return `${fixed(value / 1e9, 2)} B`;
    if (value >= 1e6) return `${fixed(value / 1e6, 2)} M`;
    return fixed(value, Math.min(decimals, 3));
}

/** Return a round quantity for an axis: 1.5 K. */
export function shortQuantity(value) {
    const [unit, name] = [[1e9, " B"], [1e6, " M"], [1e3, " K"]].find(([one]) => value >= one) ?? [1, ""];
    return `${Number((value / unit).toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 6 })}${name}`;
}

const sign = (difference) => (difference > 0 ? "+" : difference < 0 ? "−" : "");

/** Return the change from one price to another, with its sign. */
export function change(from, to, decimals) {
    return `${sign(to - from)}${fixed(Math.abs(to - from), decimals)}`;
}

/** Return the same in percent, in brackets. */
export function changePercent(from, to) {
    return `(${sign(to - from)}${(from ? (Math.abs(to - from) / from) * 100 : 0).toFixed(2)} %)`;
}

/** Return how many decimals these prices need, for a symbol that nobody has described yet. */
export function decimalsOf(values) {
    const needed = (value) => value.toFixed(8).replace(/0+$/, "").split(".")[1].length;
    return values.reduce((most, value) => Math.max(most, needed(value)), 2);
}

const two = (number) => String(number).padStart(2, "0");

function clock(timeS, { withSeconds }) {
    const moment = new Date(timeS * 1_000);
    const text = `${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())}`;
    return withSeconds ? `${text}:${two(moment.getUTCSeconds())}` : text;
}

/** Return when a candle opens: the day, and the time of day where candles are shorter. */
export function openTime(timeS, interval) {
    const moment = new Date(timeS * 1_000);
    const month = `${MONTHS[moment.getUTCMonth()]} ${moment.getUTCFullYear()}`;
    if (interval.months) return month;
    const day = `${two(moment.getUTCDate())} ${month}`;
    if (interval.seconds % 86_400 === 0) return day;
    return `${day} ${clock(timeS, { withSeconds: interval.seconds % 60 !== 0 })}`;
}

/** Return the label of a mark on the time axis, and whether a day, month or year begins there. */
export function mark(timeS, stepS) {
    const moment = new Date(timeS * 1_000);
    const [day, month] = [moment.getUTCDate(), moment.getUTCMonth()];
    if (timeS % 86_400) return [clock(timeS, { withSeconds: stepS < 60 }), false];
    if (day === 1 && month === 0) return [String(moment.getUTCFullYear()), true];
    if (day === 1) return [MONTHS[month], true];
    return [`${day} ${MONTHS[month]}`, stepS < 86_400];
}

/** Return how long until something: 04:52, or 1:04:52. */
export function countdown(seconds) {
    const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)];
    if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
    const rest = `${two(minutes)}:${two(Math.floor(seconds % 60))}`;
    return hours ? `${hours}:${rest}` : rest;
}
