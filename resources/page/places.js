// Where slots stand on the chart: closed time takes no room.

/** Slots to places and back. Away from all breaks both count alike; ``anchor`` is a slot whose place is its own number. */
export class Places {
    #breaks; // [begin, end) in slots, rising, apart: they take no room
    #left = []; // how many slots are left out before each of them
    #shift = 0;

    constructor(breaks = [], anchor = 0) {
        this.#breaks = breaks;
        let left = 0;
        for (const [begin, end] of breaks) {
            this.#left.push(left);
            left += end - begin;
        }
        this.#shift = this.#leftBefore(anchor);
    }

    /** Return the place of a slot; one that is left out has the place of the slot after its break. */
    of(slot) {
        return slot - this.#leftBefore(slot) + this.#shift;
    }

    /** Return the slot at a place, both whole numbers. */
    slot(place) {
        const from = place - this.#shift;
        // The last break that begins at or before this place.
        let [low, high] = [0, this.#breaks.length];
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.#breaks[middle][0] - this.#left[middle] <= from) low = middle + 1;
            else high = middle;
        }
        return from + this.#leftUpTo(low);
    }

    /** Return the places of breaks from one place to another. */
    between(first, last) {
        return this.#breaks.map(([begin]) => this.of(begin)).filter((place) => place >= first && place <= last);
    }

    #leftUpTo(count) {
        if (count === 0) return 0;
        const [begin, end] = this.#breaks[count - 1];
        return this.#left[count - 1] + end - begin;
    }

    #leftBefore(slot) {
        let [low, high] = [0, this.#breaks.length];
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.#breaks[middle][0] < slot) low = middle + 1;
            else high = middle;
        }
        if (low === 0) return 0;
        const [begin, end] = this.#breaks[low - 1];
        return this.#left[low - 1] + Math.min(slot, end) - begin;
    }
}
