"""The tables: their versions, their editions, who may use them, and the records that several folders share."""
