terraform {
  required_providers {
    whimbrel = { source = "whimbrel/whimbrel" }
  }
}

provider "whimbrel" {
  # How a database is reached also when it is looked at or destroyed: Terraform hands over no configuration of a resource then.
  database {
    environment = "production"
    name        = "shop"
    username    = "migrator"
    password    = "secret://env/SHOP_PASSWORD"
  }
  database {
    environment = "reporting"
    name        = "main"
    username    = "migrator"
    password    = "secret://env/REPORTING_PASSWORD"
  }
}
