"""Where data comes from: one folder per broker, behind `app.market.ports.exchange`."""
