# ENVIRONMENT,DATABASE,NAME, with the address behind it if no `database` block of the provider says it
terraform import whimbrel_migration.daily_sales reporting,main,0001-daily-sales,postgres://db.example.org/reporting
