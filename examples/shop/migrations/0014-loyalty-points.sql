-- whimbrel:database shop

-- whimbrel:up
CREATE TABLE loyalty_points (
  customer_id bigint PRIMARY KEY REFERENCES customers (id),
  points bigint NOT NULL
);

INSERT INTO loyalty_points (customer_id, points)
SELECT customer_id, sum(total_cents) / 1000 FROM orders GROUP BY customer_id;

-- whimbrel:down
DROP TABLE loyalty_points;
