"""The drawing tools at the left of the window, and the list of drawings in its side panel."""
