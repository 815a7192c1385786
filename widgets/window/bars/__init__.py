"""The bars of the main window: at the top, with intervals and the menu; of a notice; of the status."""
