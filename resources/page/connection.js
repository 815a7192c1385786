// The WebSocket of live messages: opened again after each loss, later and later, until the page is left.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const SILENCE_MS = 30_000; // after which an answer is asked for
const ANSWER_MS = 10_000;
const REPLAYED = ["trade", "quote"];

/**
 * Follows one symbol. Events: ``state`` (see `state`), ``follows`` (the server sends from now on), and ``message``, with
 * the message as its detail.
 *
 * ``protocols`` returns the subprotocols to connect with; ``since`` returns where to resume, or null.
 */
export class Connection extends EventTarget {
    /** "off", "connecting", "live", or "lost", when ``retryAtMs`` says when it tries again. */
    state = "off";
    retryAtMs = 0;
    #protocols;
    #since;
    #wanted = null; // { symbol, types }
    #followed = null;
    #announced = null;
    #socket = null;
    #losses = 0;
    #retry = 0;
    #silence = 0;

    constructor(protocols, since) {
        super();
        this.#protocols = protocols;
        this.#since = since;
    }

    /** Follow a symbol's messages of these types instead of what was followed before. */
    follow(symbol, types) {
        this.#wanted = { symbol, types };
        if (this.#socket?.readyState === WebSocket.OPEN) this.#subscribe(null);
        else if (this.#socket === null) this.retry();
    }

    /** Connect now, without waiting any longer. */
    retry() {
        if (this.#wanted === null || this.#socket !== null) return;
        clearTimeout(this.#retry);
        const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/market`, this.#protocols());
        this.#socket = socket;
        this.#followed = this.#announced = null;
        this.#set("connecting");
        socket.onopen = () => this.#subscribe(this.#since());
        socket.onmessage = (event) => this.#take(JSON.parse(event.data));
        socket.onclose = () => this.#lose(socket);
        this.#listen();
    }

    /** Connect no more until asked to. */
    stop() {
        clearTimeout(this.#retry);
        clearTimeout(this.#silence);
        const socket = this.#socket;
        this.#socket = null;
        socket?.close();
        this.#set("off");
    }

    #subscribe(since) {
        const before = this.#followed;
        if (before !== null) this.#send("unsubscribe", before);
        this.#followed = this.#wanted;
        this.#send("subscribe", this.#wanted, since === null ? {} : { since });
    }

    #send(action, { symbol, types }, more = {}) {
        this.#socket.send(JSON.stringify({ action, broker: "binance", symbols: [symbol], types, ...more }));
    }

    #take(message) {
        this.#listen();
        if (message.type === "subscribed") {
            const named = message.subscriptions.map((one) => one.symbol);
            if (!named.includes(this.#wanted.symbol)) return; // of a request before
            this.#losses = 0;
            this.#set("live");
            if (this.#announced === this.#followed) return; // the answer after a silence
            this.#announced = this.#followed;
            this.dispatchEvent(new Event("follows"));
        } else {
            this.dispatchEvent(new CustomEvent("message", { detail: message }));
        }
    }

    /** A connection may be dead and nobody says so: what is silent for long has to answer. */
    #listen() {
        clearTimeout(this.#silence);
        this.#silence = setTimeout(() => {
            const socket = this.#socket;
            if (socket?.readyState === WebSocket.OPEN && this.#followed !== null) {
                const quiet = this.#followed.types.filter((one) => !REPLAYED.includes(one)); // which would end a replay
                this.#send("subscribe", { ...this.#followed, types: quiet });
            }
            this.#silence = setTimeout(() => this.#lose(socket), ANSWER_MS);
        }, SILENCE_MS);
    }

    #lose(socket) {
        if (socket !== this.#socket || socket === null) return;
        this.#socket = null;
        socket.onmessage = null;
        socket.close();
        clearTimeout(this.#silence);
        // Not all pages at the same moment.
        const waitMs = Math.min(FIRST_WAIT_MS * 2 ** this.#losses, LONGEST_WAIT_MS) * (0.75 + Math.random() / 2);
        this.#losses += 1;
        this.retryAtMs = Date.now() + waitMs;
        this.#retry = setTimeout(() => this.retry(), waitMs);
        this.#set("lost");
    }

    #set(state) {
        this.state = state;
        this.dispatchEvent(new Event("state"));
    }
}
