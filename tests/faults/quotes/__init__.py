"""The fault suite of quotes: a recording of OANDA's prices through every kind of fault, and what is stored then."""
