// Round values and times for the axes.

const CLOCK_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];
const STEPS_DAYS = [1, 2, 4, 7, 14];
const STEPS_MONTHS = [1, 2, 3, 6, 12, 24, 60, 120];
const DAY_S = 86_400;

/** Return the step of round values that are ``leastPx`` apart or more. */
export function valueStep(low, high, heightPx, leastPx) {
    const least = ((high - low) * leastPx) / Math.max(heightPx, 1);
    const power = 10 ** Math.floor(Math.log10(least));
    return power * [1, 2, 2.5, 5, 10].find((one) => one * power >= least * (1 - 1e-9));
}

/** Return the round values from ``low`` to ``high``. */
export function valuesBetween(low, high, step) {
    const found = [];
    for (let number = Math.ceil(low / step); number * step <= high; number++) found.push(number * step);
    return found;
}

/** Return [times, step in seconds] of round times in a range, ``leastS`` apart or more. */
export function timesBetween(beginS, endS, leastS) {
    const clockStep = CLOCK_STEPS_S.find((one) => one >= leastS);
    if (clockStep !== undefined) return [spaced(beginS, endS, clockStep), clockStep];
    const days = STEPS_DAYS.find((one) => one * DAY_S >= leastS);
    const months = STEPS_MONTHS.find((one) => one * 30 * DAY_S >= leastS) ?? STEPS_MONTHS.at(-1);
    const begin = new Date(beginS * 1_000);
    const found = [];
    const monthS = (number) => Date.UTC(2_000, number) / 1_000;
    let month = (begin.getUTCFullYear() - 2_000) * 12 + begin.getUTCMonth();
    if (days === undefined) month = Math.floor(month / months) * months;
    for (; monthS(month) <= endS; month += days ? 1 : months) {
        if (days === undefined) found.push(monthS(month));
        else found.push(...daysOfMonth(monthS(month), monthS(month + 1), days));
    }
    return [found.filter((one) => one >= beginS && one <= endS), days ? days * DAY_S : months * 30 * DAY_S];
}

function spaced(beginS, endS, stepS) {
    const found = [];
    for (let timeS = Math.ceil(beginS / stepS) * stepS; timeS <= endS; timeS += stepS) found.push(timeS);
    return found;
}

/** Return days of a month that are ``step`` apart, the first included, none too close to the next month's. */
function daysOfMonth(firstS, nextS, step) {
    const found = [];
    for (let timeS = firstS; timeS === firstS || nextS - timeS >= step * DAY_S * 0.75; timeS += step * DAY_S) {
        found.push(timeS);
        if (timeS + step * DAY_S >= nextS) break;
    }
    return found;
}
