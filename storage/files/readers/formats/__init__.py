"""The formats of tables: text, typed columns, JSON, spreadsheets, recordings of frames and of answers."""
