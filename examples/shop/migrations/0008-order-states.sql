-- whimbrel:database shop

-- whimbrel:up
ALTER TABLE orders ADD COLUMN state text NOT NULL DEFAULT 'placed';
UPDATE orders SET state = 'delivered' WHERE placed_day < 300;

-- whimbrel:down
ALTER TABLE orders DROP COLUMN state;
