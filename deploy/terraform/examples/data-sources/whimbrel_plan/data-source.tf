data "whimbrel_plan" "shop" {
  source      = "https://git.example.org/acme/shop.git"
  ref         = "main"
  environment = "production"
}

output "plan" {
  value = data.whimbrel_plan.shop.text
}
