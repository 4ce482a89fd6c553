# ENVIRONMENT,DATABASE,NAME, with the address behind it if no `database` block of the provider says it; who connects, only such a
# block says
terraform import whimbrel_migration.daily_sales reporting,main,0001-daily-sales,postgres://db.example.org/reporting
