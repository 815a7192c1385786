"""The tables, their versions, and who may use them."""
