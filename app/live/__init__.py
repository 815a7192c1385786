"""Everything live, without Qt: recording, repairing, the candles of a chart. The engine connects the parts."""
