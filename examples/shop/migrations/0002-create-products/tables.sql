CREATE TABLE categories (
  id bigint PRIMARY KEY,
  title text NOT NULL UNIQUE
);

CREATE TABLE products (
  id bigint PRIMARY KEY,
  category_id bigint NOT NULL REFERENCES categories (id),
  title text NOT NULL,
  price_cents bigint NOT NULL CHECK (price_cents > 0)
);
