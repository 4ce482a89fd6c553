-- whimbrel:database shop

-- whimbrel:up
CREATE VIEW order_overview AS
SELECT orders.id, customers.name, products.title, orders.quantity, orders.total_cents, orders.state
FROM orders
JOIN customers ON customers.id = orders.customer_id
JOIN products ON products.id = orders.product_id;

-- whimbrel:down
DROP VIEW order_overview;
