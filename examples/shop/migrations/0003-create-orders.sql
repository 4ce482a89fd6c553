-- Plain SQL: sections instead of YAML.
-- whimbrel:database shop
-- whimbrel:depends-on 0002-create-products

-- whimbrel:up
CREATE TABLE orders (
  id bigint PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers (id),
  product_id bigint NOT NULL REFERENCES products (id),
  quantity bigint NOT NULL,
  price_cents bigint NOT NULL,
  placed_day integer NOT NULL
);

-- whimbrel:down
DROP TABLE orders;
