"""The dialogs and the forms in them."""
