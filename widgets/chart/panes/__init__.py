"""The set of panes, and which parts of them to repaint."""
