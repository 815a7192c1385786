"""The dialogs on the database, on an export and about the program, and the box that says one sentence."""
