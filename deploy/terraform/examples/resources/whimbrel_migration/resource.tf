resource "whimbrel_migration" "daily_sales" {
  environment       = "reporting"
  url               = "postgres://db.example.org/reporting"
  name              = "0001-daily-sales"
  up                = "CREATE TABLE daily_sales (day date PRIMARY KEY, total bigint NOT NULL)"
  down              = "DROP TABLE daily_sales"
  allow_destructive = true
  on_destroy        = "revert"
}
