"""The side panel of the main window: its handle, its pages, and the quote panel."""
