"""Downloads from the window: those of the dialog, and of what the chart shows, by a process of their own."""
