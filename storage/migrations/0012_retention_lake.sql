-- Where trades and ticks must be before retention drops them: a lake, as people write one; NULL: nowhere.

ALTER TABLE retention ADD COLUMN lake text;
