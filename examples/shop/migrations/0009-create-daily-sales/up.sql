CREATE TABLE daily_sales (
  day integer PRIMARY KEY,
  currency text NOT NULL,
  orders bigint NOT NULL,
  total_cents bigint NOT NULL
);
