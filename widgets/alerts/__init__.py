"""The dialog of alerts with its list, history and editor, and the toast of a firing."""
