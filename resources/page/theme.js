// Chooses the theme before anything is painted: the system's, until the switch chooses the other one and remembers it.
"use strict";

{
    const KEY = "cryptopipe.theme";
    const system = matchMedia("(prefers-color-scheme: dark)");
    const systems = () => (system.matches ? "dark" : "light");

    function remembered() {
        try {
            return localStorage.getItem(KEY);
        } catch {
            return null; // a browser that keeps nothing for pages
        }
    }

    function remember(theme) {
        try {
            // Whoever switches back follows the system again.
            if (theme === systems()) localStorage.removeItem(KEY);
            else localStorage.setItem(KEY, theme);
        } catch {
            // It holds until the page is left.
        }
    }

    function apply(theme) {
        document.documentElement.dataset.theme = theme;
        dispatchEvent(new Event("themechange"));
    }

    apply(remembered() ?? systems());
    system.addEventListener("change", () => apply(remembered() ?? systems()));
    addEventListener("themeswitch", () => {
        const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
        remember(theme);
        apply(theme);
    });
}
