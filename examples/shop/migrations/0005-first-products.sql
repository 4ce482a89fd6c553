-- whimbrel:database shop

-- whimbrel:up
INSERT INTO categories (id, title) VALUES (1, 'bags'), (2, 'tents'), (3, 'boots');

INSERT INTO products (id, category_id, title, price_cents)
WITH RECURSIVE numbers (n) AS (
  SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 300
)
SELECT n, 1 + n % 3, 'product ' || n, 500 + (n * 37) % 9000
FROM numbers;

-- whimbrel:down
DELETE FROM products WHERE id <= 300;
DELETE FROM categories WHERE id <= 3;
