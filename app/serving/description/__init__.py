"""Routes are declared once: the server adds them, and a description for programs and a page for people follow."""
