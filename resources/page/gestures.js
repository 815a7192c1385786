// What mouse, fingers and keys do with a chart: drag to pan, wheel or pinch to zoom, and a crosshair.

const HOLD_MS = 350; // for a finger to take the crosshair
const SLOP_PX = 6; // within which a finger that holds still or taps may move
const SETTLING_MS = 320; // a released pan slows down to 1/e within that time
const LEAST_PX_MS = 0.12;
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Connect a chart to its canvas. */
export function connectGestures(canvas, chart) {
    const pointers = new Map(); // id → { x, y }
    let [steps, moved, hold, isHolding, glide] = [[], 0, 0, false, 0];

    const place = (event) => {
        const box = canvas.getBoundingClientRect();
        return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    const stopGlide = () => cancelAnimationFrame(glide);

    canvas.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        stopGlide();
        canvas.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, place(event));
        clearTimeout(hold);
        if (pointers.size > 1) return;
        [steps, moved, isHolding] = [[], 0, false];
        if (event.pointerType === "mouse") return;
        const { x, y } = place(event);
        hold = setTimeout(() => {
            isHolding = true;
            chart.point(x, y);
        }, HOLD_MS);
    });

    canvas.addEventListener("pointermove", (event) => {
        const [before, now] = [pointers.get(event.pointerId), place(event)];
        if (before === undefined) {
            if (event.pointerType === "mouse") chart.point(now.x, now.y);
            return;
        }
        pointers.set(event.pointerId, now);
        if (pointers.size === 2) {
            pinch(event.pointerId, before, now);
            return;
        }
        if (isHolding) {
            chart.point(now.x, now.y);
            return;
        }
        moved += Math.hypot(now.x - before.x, now.y - before.y);
        if (moved < SLOP_PX && event.pointerType !== "mouse") return;
        clearTimeout(hold);
        chart.pan(now.x - before.x);
        if (event.pointerType === "mouse") chart.point(now.x, now.y);
        steps.push([event.timeStamp, now.x - before.x]);
        steps = steps.filter(([time]) => event.timeStamp - time < 80);
    });

    function pinch(id, before, now) {
        const [, other] = [...pointers].find(([one]) => one !== id);
        const [wide, wider] = [Math.abs(before.x - other.x), Math.abs(now.x - other.x)];
        const [gap, wideGap] = [Math.hypot(before.x - other.x, before.y - other.y), Math.hypot(now.x - other.x, now.y - other.y)];
        chart.pan((now.x - before.x) / 2);
        // Fingers above each other zoom, too.
        const factor = wide > 30 ? wider / wide : wideGap / Math.max(gap, 1);
        if (Number.isFinite(factor) && factor > 0) chart.zoom(factor, (now.x + other.x) / 2);
        [steps, isHolding, moved] = [[], false, SLOP_PX];
    }

    const release = (event) => {
        if (!pointers.delete(event.pointerId) || pointers.size) return;
        clearTimeout(hold);
        const isTap = event.type === "pointerup" && event.pointerType !== "mouse" && moved < SLOP_PX && !isHolding;
        if (isTap && chart.cursor !== null) chart.point(null, null);
        else if (isTap) chart.point(place(event).x, place(event).y);
        else if (!isHolding && event.type === "pointerup") glideOn(event.timeStamp);
        isHolding = false;
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", (event) => {
        if (event.pointerType === "mouse" && !pointers.size) chart.point(null, null);
    });

    function glideOn(nowMs) {
        const recent = steps.filter(([time]) => nowMs - time < 80);
        if (recent.length < 2 || still.matches) return;
        let speed = recent.reduce((sum, [, pixels]) => sum + pixels, 0) / Math.max(nowMs - recent[0][0], 8);
        let beforeMs = performance.now();
        const go = (timeMs) => {
            const passedMs = Math.min(Math.max(timeMs - beforeMs, 0), 50);
            beforeMs = timeMs;
            speed *= Math.exp(-passedMs / SETTLING_MS);
            if (Math.abs(speed) > 0.012 && chart.pan(speed * passedMs)) glide = requestAnimationFrame(go);
        };
        if (Math.abs(speed) > LEAST_PX_MS) glide = requestAnimationFrame(go);
    }

    canvas.addEventListener(
        "wheel",
        (event) => {
            event.preventDefault();
            stopGlide();
            const unit = [1, 16, 400][event.deltaMode]; // pixels, lines or pages
            const isAcross = Math.abs(event.deltaX) > Math.abs(event.deltaY);
            if (isAcross || event.shiftKey) chart.pan(-(isAcross ? event.deltaX : event.deltaY) * unit);
            else chart.zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0015)), place(event).x);
            const { x, y } = place(event);
            if (chart.cursor !== null) chart.point(x, y);
        },
        { passive: false },
    );
    canvas.addEventListener("dblclick", () => chart.goToLatest());

    const keys = {
        ArrowLeft: () => chart.pan(chart.plotWidth / 10),
        ArrowRight: () => chart.pan(-chart.plotWidth / 10),
        "Shift+ArrowLeft": () => chart.step(-1),
        "Shift+ArrowRight": () => chart.step(1),
        PageUp: () => chart.pan(chart.plotWidth * 0.9),
        PageDown: () => chart.pan(-chart.plotWidth * 0.9),
        "+": () => chart.zoom(1.25),
        "=": () => chart.zoom(1.25),
        "-": () => chart.zoom(0.8),
        Home: () => chart.goToFirst(),
        End: () => chart.goToLatest(),
        Escape: () => chart.point(null, null),
    };
    canvas.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const work = keys[event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key];
        if (work === undefined) return;
        event.preventDefault();
        stopGlide();
        work();
    });
}
