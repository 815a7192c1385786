// Asks the server that the page is from. The token goes into a header, never into an address.

const TOKEN_KEY = "cryptopipe.token";
const USABLE_TOKEN = /^[\x21-\x7e]+$/;

/** A request that was refused, or got no answer: then ``status`` is 0. */
export class Refusal extends Error {
    constructor(status, sentence, retryS = 0) {
        super(sentence);
        this.status = status;
        this.retryS = retryS;
    }

    /** Whether the same request may succeed later. */
    get isPassing() {
        return this.status === 0 || this.status === 429 || this.status >= 500;
    }
}

export class Server {
    #token = recalled();

    /** The server's time minus this machine's, as of the last answer. */
    offsetS = 0;

    get nowS() {
        return Date.now() / 1_000 + this.offsetS;
    }

    /** Use a token from now on; it is forgotten with the tab. Return whether it can be one. */
    use(token) {
        if (!USABLE_TOKEN.test(token)) return false;
        this.#token = token;
        try {
            sessionStorage.setItem(TOKEN_KEY, token);
        } catch {
            // It holds until the page is left.
        }
        return true;
    }

    /** The names by which a WebSocket is opened; a page can send a token in no other header. */
    get protocols() {
        if (!this.#token) return [];
        const written = btoa(this.#token).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
        return ["cryptopipe", `cryptopipe.token.${written}`];
    }

    /** Return the JSON at an address. Raises Refusal; ``isFresh``: not from the browser's cache. */
    async json(path, parameters, { isFresh = false, signal } = {}) {
        const address = new URL(path, location.origin);
        for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
        const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
        let answer, body;
        try {
            answer = await fetch(address, { headers, signal, cache: isFresh ? "no-cache" : "default" });
            body = await answer.json();
        } catch (error) {
            if (error.name === "AbortError") throw error;
            throw new Refusal(0, "The server does not answer.");
        }
        if (!answer.ok) {
            throw new Refusal(answer.status, body.error ?? "The server refused.", Number(answer.headers.get("Retry-After")));
        }
        const sentMs = Date.parse(answer.headers.get("Date"));
        // Its time is in whole seconds, and an answer from the cache has that of then.
        if (isFresh && sentMs) this.offsetS = (sentMs + 500 - Date.now()) / 1_000;
        return body;
    }
}

function recalled() {
    try {
        return sessionStorage.getItem(TOKEN_KEY) ?? "";
    } catch {
        return "";
    }
}
